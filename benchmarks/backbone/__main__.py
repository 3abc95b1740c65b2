"""The ensemble backbone against the published rules, reimplemented plainly.

python benchmarks/backbone encoding    # 24 specialists; 5 of them
python benchmarks/backbone forms       # 24 specialists on a GPU, one by one and in one call
python benchmarks/backbone footprint   # parameters, file, memory
python benchmarks/backbone selection   # recall and accuracy
python benchmarks/backbone heads       # stored features
python benchmarks/backbone speeds      # on a GPU: what the plan of the full scale rests on
python benchmarks/backbone imports     # start of a process

Each takes --json FILE to write its figures. Rivals run in turns and the medians count.
"""

import typer
from encoding import encoding
from footprint import footprint, imports, peak
from forms import forms
from heads import heads
from selection import selection
from speeds import speeds

app = typer.Typer(add_completion=False)
for command in (encoding, forms, footprint, selection, heads, speeds, imports):
    app.command()(command)
app.command(hidden=True)(peak)

if __name__ == "__main__":
    app()
