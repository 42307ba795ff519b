# Threads of one address space, by a program that is compiled here.
gcc-12 -O2 -Wall -pthread /work/threads.c -o threads && ./threads
