"""Do generated traces behave like the students'?"""
