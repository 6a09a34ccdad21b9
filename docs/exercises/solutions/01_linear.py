def linear_backward(dy, x, weight, dweight, dbias):
    rows, dy_rows = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    dweight += rows.T @ dy_rows
    dbias += dy_rows.sum(0)
    return dy @ weight.T
