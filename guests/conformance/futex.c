// The futex system call itself, and the mutexes that need its special operations.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// uapi/linux/futex.h, which musl does not have.
enum {
  FUTEX_WAIT, FUTEX_WAKE, FUTEX_FD, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP, FUTEX_LOCK_PI, FUTEX_UNLOCK_PI,
  FUTEX_TRYLOCK_PI, FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET
};
enum { FUTEX_OP_SET, FUTEX_OP_ADD, FUTEX_OP_OR, FUTEX_OP_ANDN, FUTEX_OP_XOR };
enum { FUTEX_OP_CMP_EQ, FUTEX_OP_CMP_NE };
#define FUTEX_OP(op, oparg, cmp, cmparg) \
  ((op & 0xf) << 28 | (cmp & 0xf) << 24 | (oparg & 0xfff) << 12 | (cmparg & 0xfff))

static long futex(void *address, int operation, unsigned value, const void *fourth, void *second, unsigned third) {
  return syscall(SYS_futex, address, operation, value, fourth, second, third);
}

static void show(const char *what, long result) {
  if (result < 0) printf("%s: %s\n", what, strerror(errno));
  else printf("%s: %ld\n", what, result);
}

static unsigned word, other;
static int waiting;
struct waiter { int operation; unsigned bits; long result; };

static void *wait_on_word(void *argument) {
  struct waiter *waiter = argument;
  __atomic_add_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
  waiter->result = futex(&word, waiter->operation, 0, NULL, NULL, waiter->bits);
  return NULL;
}

// Starts threads that wait, and gives them time to do so.
static void start(pthread_t *threads, struct waiter *waiters, int count) {
  waiting = 0;
  for (int i = 0; i < count; i++) pthread_create(&threads[i], NULL, wait_on_word, &waiters[i]);
  while (__atomic_load_n(&waiting, __ATOMIC_SEQ_CST) < count) usleep(100);
  usleep(20000);
}

static void finish(pthread_t *threads, struct waiter *waiters, int count) {
  for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < count; i++) printf("  waiter %d: %ld\n", i, waiters[i].result);
}

static pthread_mutex_t robust;
static void *die_with_lock(void *argument) {
  pthread_mutex_lock(&robust);
  return argument;
}

static pthread_mutex_t inherit;
static long total;
static void *add(void *argument) {
  for (int i = 0; i < 300; i++) {
    pthread_mutex_lock(&inherit);
    long copy = total;
    if (i % 50 == 0) usleep(10);
    total = copy + 1;
    pthread_mutex_unlock(&inherit);
  }
  return argument;
}

static void nothing(int signal) { (void)signal; }

int main(void) {
  struct timespec soon = {0, 3000000}, negative = {-1, 0};
  show("wrong value", futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0));
  show("timeout", futex(&word, FUTEX_WAIT, 0, &soon, NULL, 0));
  show("bad timeout", futex(&word, FUTEX_WAIT, 0, &negative, NULL, 0));
  show("unaligned", futex((char *)&word + 1, FUTEX_WAIT, 0, NULL, NULL, 0));
  show("bad address", futex((void *)0x1000, FUTEX_WAIT, 0, NULL, NULL, 0));
  show("bad operation", futex(&word, 100, 0, NULL, NULL, 0));
  show("no bits", futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0));
  show("wake nobody", futex(&word, FUTEX_WAKE, 10, NULL, NULL, 0));

  pthread_t threads[4];
  struct waiter plain[4] = {{FUTEX_WAIT, 0, 9}, {FUTEX_WAIT, 0, 9}, {FUTEX_WAIT, 0, 9}, {FUTEX_WAIT, 0, 9}};
  start(threads, plain, 4);
  show("wake one", futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0));
  show("wake all", futex(&word, FUTEX_WAKE, 100, NULL, NULL, 0));
  finish(threads, plain, 4);

  struct waiter bits[3] = {{FUTEX_WAIT_BITSET, 1, 9}, {FUTEX_WAIT_BITSET, 2, 9}, {FUTEX_WAIT_BITSET, 4, 9}};
  start(threads, bits, 3);
  show("wake bit 1", futex(&word, FUTEX_WAKE_BITSET, 10, NULL, NULL, 2));
  show("wake bits 0 and 2", futex(&word, FUTEX_WAKE_BITSET, 10, NULL, NULL, 5));
  finish(threads, bits, 3);

  start(threads, plain, 4);
  show("requeue", futex(&word, FUTEX_REQUEUE, 1, (void *)2, &other, 0));
  show("compare and requeue, wrong value", futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)10, &other, 77));
  show("compare and requeue", futex(&word, FUTEX_CMP_REQUEUE, 0, (void *)10, &other, 0));
  show("nobody left", futex(&word, FUTEX_WAKE, 10, NULL, NULL, 0));
  show("all are there", futex(&other, FUTEX_WAKE, 10, NULL, NULL, 0));
  finish(threads, plain, 4);

  start(threads, plain, 2);
  other = 5;
  show("wake op", futex(&word, FUTEX_WAKE_OP, 10, (void *)10, &other, FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5)));
  printf("other %u\n", other);
  finish(threads, plain, 2);
  show("wake op, clear", futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &other, FUTEX_OP(FUTEX_OP_ANDN, 8, FUTEX_OP_CMP_NE, 1)));
  printf("other %u\n", other);

  // A signal ends a wait.
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = nothing;
  sigaction(SIGALRM, &action, NULL);
  struct timespec later = {10, 0};
  alarm(1);
  show("interrupted", futex(&word, FUTEX_WAIT, 0, &later, NULL, 0));

  // PI operations by hand.
  word = 0;
  unsigned tid = (unsigned)syscall(SYS_gettid);
  show("lock", futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  printf("owner %d\n", word == tid);
  show("lock again", futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  show("try", futex(&word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
  show("unlock", futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
  printf("word %u\n", word);
  show("unlock again", futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));

  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&robust, &attributes);
  pthread_create(&threads[0], NULL, die_with_lock, NULL);
  pthread_join(threads[0], NULL);
  int error = pthread_mutex_lock(&robust);
  printf("owner died: %d\n", error == EOWNERDEAD);
  printf("consistent: %d\n", pthread_mutex_consistent(&robust));
  pthread_mutex_unlock(&robust);
  printf("lock again: %d\n", pthread_mutex_lock(&robust));

  pthread_mutexattr_init(&attributes);
  if (pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT) == 0) {
    pthread_mutex_init(&inherit, &attributes);
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, add, NULL);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    printf("total %ld\n", total);
  }
  puts("done");
  return 0;
}
