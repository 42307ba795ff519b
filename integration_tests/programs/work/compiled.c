// Something for a compiler to chew on, and for its output to compute: a hash table, recursion,
// vectors, floating point, bit tricks, a small interpreter, function pointers and variable
// arguments.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Node {
  struct Node *left, *right;
  uint64_t key;
  char name[12];
} Node;

static uint64_t state = 0x9e3779b97f4a7c15;

static uint64_t Draw(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static Node* Insert(Node* at, uint64_t key) {
  if (at == NULL) {
    Node* made = calloc(1, sizeof *made);
    made->key = key;
    snprintf(made->name, sizeof made->name, "n%lu", (unsigned long)(key % 100000));
    return made;
  }
  if (key < at->key) at->left = Insert(at->left, key);
  if (key > at->key) at->right = Insert(at->right, key);
  return at;
}

static int Depth(const Node* at) {
  if (at == NULL) return 0;
  const int left = Depth(at->left), right = Depth(at->right);
  return 1 + (left > right ? left : right);
}

static int Queens(int row, uint32_t columns, uint32_t up, uint32_t down, int size) {
  if (row == size) return 1;
  int found = 0;
  for (uint32_t free = ~(columns | up | down) & ((1u << size) - 1); free != 0; free &= free - 1) {
    const uint32_t bit = free & -free;
    found += Queens(row + 1, columns | bit, (up | bit) << 1, (down | bit) >> 1, size);
  }
  return found;
}

static int ByName(const void* a, const void* b) {
  return strcmp((*(Node* const*)a)->name, (*(Node* const*)b)->name);
}

enum { kSize = 96 };
static double a[kSize][kSize], b[kSize][kSize], c[kSize][kSize];

static double Multiply(void) {
  for (int i = 0; i < kSize; ++i) {
    for (int j = 0; j < kSize; ++j) {
      a[i][j] = sin(i + 0.1 * j);
      b[i][j] = 1.0 / (1 + i + j);
    }
  }
  double trace = 0;
  for (int i = 0; i < kSize; ++i) {
    for (int k = 0; k < kSize; ++k) {
      for (int j = 0; j < kSize; ++j) c[i][j] += a[i][k] * b[k][j];
    }
    trace += c[i][i];
  }
  return trace;
}

// Reverse Polish, by a jump table.
static jmp_buf failed;
static int64_t Evaluate(const char* program, int64_t argument) {
  int64_t stack[17] = {0};  // below the first element lies a zero
  int top = 1;
  for (; *program; ++program) {
    if (top > 15) longjmp(failed, top);
    switch (*program) {
      case 'x': stack[top++] = argument; break;
      case 'd':
        stack[top] = stack[top - 1];
        ++top;
        break;
      case '+':
        --top;
        stack[top - 1] += stack[top];
        break;
      case '-':
        --top;
        stack[top - 1] -= stack[top];
        break;
      case '*':
        --top;
        stack[top - 1] *= stack[top];
        break;
      case '/':
        --top;
        if (stack[top] == 0) longjmp(failed, 99);
        stack[top - 1] /= stack[top];
        break;
      case '%':
        --top;
        if (stack[top] == 0) longjmp(failed, 98);
        stack[top - 1] %= stack[top];
        break;
      case 'n': stack[top - 1] = -stack[top - 1]; break;
      default: stack[top++] = *program - '0';
    }
  }
  return stack[1];
}

__attribute__((noinline)) static long double Sum(int count, ...) {
  va_list values;
  va_start(values, count);
  long double sum = 0;
  for (int i = 0; i < count; ++i) sum += i % 2 ? va_arg(values, int) : va_arg(values, double);
  va_end(values);
  return sum;
}

static unsigned Bits(const uint8_t* bytes, size_t count) {
  unsigned bits = 0;
  for (size_t i = 0; i < count; ++i)
    bits += (unsigned)__builtin_popcount(bytes[i] ^ (bytes[i] >> 1));
  return bits;
}

int main(void) {
  Node* root = NULL;
  for (int i = 0; i < 50000; ++i) root = Insert(root, Draw() % 1000003);
  printf("depth %d\n", Depth(root));
  Node* some[64];
  size_t count = 0;
  for (Node* at = root; at != NULL && count < 64; at = Draw() & 1 ? at->left : at->right)
    some[count++] = at;
  qsort(some, count, sizeof(Node*), ByName);
  for (size_t i = 0; i < count; ++i) printf("%s ", some[i]->name);
  printf("\nqueens %d\n", Queens(0, 0, 0, 0, 10));
  printf("trace %.17g\n", Multiply());
  static const char* const programs[] = {"xd*3x*-7+", "x5/x3%+n", "9x9-/", "xdddddddddddddddd"};
  for (size_t i = 0; i < sizeof programs / sizeof programs[0]; ++i) {
    int64_t total = 0;
    const int why = setjmp(failed);
    if (why != 0) {
      printf("%s failed with %d\n", programs[i], why);
      continue;
    }
    for (int64_t x = -100; x <= 100; ++x) total = total * 31 + Evaluate(programs[i], x);
    printf("%s gives %ld\n", programs[i], (long)total);
  }
  printf("sum %.21Lg\n", Sum(5, 1.5, 2, 1e-10, -7, 3e15));
  uint8_t bytes[4096];
  for (size_t i = 0; i < sizeof bytes; ++i) bytes[i] = (uint8_t)(Draw() >> 24);
  printf("bits %u, 128 bits %lu, power %a, float %a\n", Bits(bytes, sizeof bytes),
         (unsigned long)(((__uint128_t)Draw() * Draw()) >> 64), pow(1.000001, 1e6),
         (double)(float)(1.0 / 3));
  return 3;
}
