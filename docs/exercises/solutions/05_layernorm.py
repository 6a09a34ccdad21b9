def layernorm_backward(dy, xhat, rstd, weight, dweight, dbias):
    rows = tuple(range(dy.ndim - 1))
    dweight += (dy * xhat).sum(rows)
    dbias += dy.sum(rows)
    g = dy * weight
    return rstd * (g - g.mean(-1, keepdims=True) - xhat * (g * xhat).mean(-1, keepdims=True))
