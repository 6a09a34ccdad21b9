def text():pass
