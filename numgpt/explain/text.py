def text():
    pass
