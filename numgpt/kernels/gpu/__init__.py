"""The definitions' fast namesakes for CuPy's arrays, each in a file of the name that its definition's file has."""
