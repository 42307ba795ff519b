// What kernels do with several CPUs for threads of one process: pages taken away from all of them
// at once, which takes an interrupt of each CPU, futexes, signals between threads.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { kThreads = 3, kRounds = 500, kPage = 4096 };

static atomic_int stop, late, wrong;
static _Atomic(uint32_t)* page;
static char alternate[kThreads][16384];

// A store to a page that may only be read waits until that has changed.
static void WaitForWrites(int signal) {
  (void)signal;
  sched_yield();
}

// Counts in its own word of the page, whether that is writable or not.
static void* Write(void* which) {
  const uintptr_t self = (uintptr_t)which;
  stack_t stack = {.ss_sp = alternate[self], .ss_size = sizeof alternate[self]};
  sigaltstack(&stack, NULL);
  while (!stop) ++page[16 * (self + 1)];
  return NULL;
}

// After mprotect() no thread writes any more; after MADV_DONTNEED and mmap() none sees the old
// page.
static void TakeAway(void) {
  page = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  pthread_t threads[kThreads];
  for (uintptr_t i = 0; i < kThreads; ++i) pthread_create(&threads[i], NULL, Write, (void*)i);
  for (int round = 0; round < kRounds; ++round) {
    uint32_t before[kPage / 4];
    mprotect((void*)page, kPage, PROT_READ);
    memcpy(before, (void*)page, kPage);
    for (int look = 0; look < 20; ++look) late += memcmp(before, (void*)page, kPage) != 0;
    mprotect((void*)page, kPage, PROT_READ | PROT_WRITE);
    if (round % 16 == 0) madvise((void*)page, kPage, MADV_DONTNEED);
    if (round % 64 == 0) {
      wrong += mmap((void*)page, kPage, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED;
      wrong += page[0] != 0;
    }
    page[0] = (uint32_t)round;
  }
  stop = 1;
  for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn;
static uint64_t passed;

// A token that goes round: each turn is a futex wake of another thread.
static void* Pass(void* which) {
  const int self = (int)(uintptr_t)which;
  for (int i = 0; i < 300; ++i) {
    pthread_mutex_lock(&mutex);
    while (turn != self) pthread_cond_wait(&changed, &mutex);
    passed = passed * 31 + (uint64_t)self;
    turn = (turn + 1) % kThreads;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

int main(void) {
  struct sigaction action = {.sa_handler = WaitForWrites, .sa_flags = SA_ONSTACK};
  sigaction(SIGSEGV, &action, NULL);
  TakeAway();
  printf("late stores %d, old pages seen %d\n", late, wrong);
  pthread_t threads[kThreads];
  for (uintptr_t i = 0; i < kThreads; ++i) pthread_create(&threads[i], NULL, Pass, (void*)i);
  for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
  printf("passed %016lx\n", (unsigned long)passed);
  return late != 0 || wrong != 0;
}
