"""x"""
class Answers: pass
def findings(): pass
