"""The command line as a process, which lives for a moment and makes no garbage worth looking for."""

import gc


def run() -> None:
    """Run the command line with little work for the collector of garbage; that takes a sixth of a command's time."""
    gc.set_threshold(100_000)  # 700 at first, which imports alone reach some hundred times
    from extcp_manifests.cli import main  # an import too

    try:
        main()
    finally:
        gc.freeze()  # else everything is looked through once more, to be thrown away


if __name__ == "__main__":
    run()
