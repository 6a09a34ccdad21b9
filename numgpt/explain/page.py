LANGUAGES=()
def page():pass
