"""How much is the student's, how much the title's?"""
