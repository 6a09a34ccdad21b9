def combined(losses, grads, counts):
    total = sum(counts)
    loss = sum(n * loss for n, loss in zip(counts, losses, strict=True)) / total
    return loss, sum(n * grad for n, grad in zip(counts, grads, strict=True)) / total
