"""Does this program run? Engines that execute student programs safely, and the rules that judge what they saw."""
