def block_backward(dy, ln_1, attn, ln_2, mlp):
    dh = dy + ln_2.backward(mlp.backward(dy))
    return dh + ln_1.backward(attn.backward(dh))
