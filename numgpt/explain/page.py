LANGUAGES = ()


def page():
    pass
