"""One training run by many processes: each step's sequences are dealt to them, and so is the optimizer.

    team.py        what a process is told of the others, and the process that is alone
    processes.py   processes of one machine, through memory that they share
    mpi.py         processes of any number of machines, through MPI
    rows.py        which sequences of a batch are whose, and their dropout
    buckets.py     the gradients cut in buckets, which are summed while backward still runs
    worker.py      what every process but the first does

The first process, of rank 0, is the run: it reads the options, writes the folder, prints, and tells the others what to
do next. Every process holds the whole model and reads every batch. A step then is

    loss and gradients    of its own rows of each batch, weighed by how many targets they have
    reduce                each gets the sum of all gradients for its own parts of the parameters, one of every bucket;
                          through MPI this begins while backward runs
    clip                  by the norm of all parts together
    AdamW                 of its own parts; the two moments of the others it does not even have (ZeRO, stage 1:
                          Rajbhandari et al. 2020)
    share                 each gives the others the new weights of its parts

Sums run in a fixed order of ranks, so that a number of processes repeats itself bit for bit; another number differs by
rounding only, as every row meets the same weights and the same dropout.
"""
