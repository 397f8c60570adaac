"""The agent: the program that runs on the board. Standard library, plus numpy and the runtime in its workers."""
