"""Language models of students: traces to token ids, training, sampling."""
