"""BLEU of translations against all the references of their sources (Papineni et al. 2002), by the sacrebleu library."""


def has_sacrebleu():
    """Whether the library is installed."""
    try:
        import sacrebleu  # noqa: F401
    except ImportError:
        return False
    return True


def corpus_bleu(found, references):
    """(BLEU from 0 to 100, sacrebleu's signature) of the texts `found`; references: for each, a list of at least one.

    The signature names everything that the figure depends on.
    """
    import sacrebleu

    most = max(map(len, references))
    columns = [[texts[i] if i < len(texts) else None for texts in references] for i in range(most)]
    metric = sacrebleu.BLEU()
    return float(metric.corpus_score(found, columns).score), str(metric.get_signature())
