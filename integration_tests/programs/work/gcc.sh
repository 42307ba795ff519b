# From C to assembly, to an object, to a program that runs; at two levels of optimisation.
for level in 0 2; do
  gcc-12 -O$level -Wall -S /work/compiled.c -o compiled.s && gcc-12 -c compiled.s -o compiled.o &&
    gcc-12 compiled.o -o compiled -lm || exit
  echo "-O$level: $(wc -l <compiled.s) lines of assembly"
  sha256sum compiled.s compiled.o compiled
  x86_64-linux-gnu-size compiled
  ./compiled
  echo "status $?"
  [ $level != 2 ] || cat compiled.s
done
x86_64-linux-gnu-objdump -d -M intel compiled | sha256sum
