/* primes: counts primes with a segmented sieve on several threads. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SEGMENT = 1 << 16, MAX_THREADS = 64 };

static uint64_t limit = 10000000;
static uint32_t *base_primes, base_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t next_start, total;

/* The primes up to the square root of the limit, by trial division of the sieve's own kind. */
static void find_base_primes(void) {
  uint32_t root = 1;
  while ((uint64_t)root * root < limit) root++;
  uint8_t *composite = calloc(root + 1, 1);
  base_primes = malloc((root + 1) * sizeof *base_primes);
  if (!composite || !base_primes) {
    perror("primes");
    exit(1);
  }
  for (uint32_t n = 2; n <= root; n++) {
    if (composite[n]) continue;
    base_primes[base_count++] = n;
    for (uint64_t m = (uint64_t)n * n; m <= root; m += n) composite[m] = 1;
  }
  free(composite);
}

static uint64_t count_segment(uint64_t start, uint8_t *composite) {
  uint64_t end = start + SEGMENT < limit + 1 ? start + SEGMENT : limit + 1, count = 0;
  memset(composite, 0, SEGMENT);
  for (uint32_t i = 0; i < base_count; i++) {
    uint64_t prime = base_primes[i], multiple = (start + prime - 1) / prime * prime;
    if (prime * prime >= end) break;
    if (multiple < prime * prime) multiple = prime * prime;
    for (; multiple < end; multiple += prime) composite[multiple - start] = 1;
  }
  for (uint64_t n = start < 2 ? 2 : start; n < end; n++) count += !composite[n - start];
  return count;
}

static void *work(void *segments_done) {
  static _Thread_local uint8_t composite[SEGMENT];
  uint64_t count = 0;
  for (;;) {
    pthread_mutex_lock(&lock);
    uint64_t start = next_start;
    next_start += SEGMENT;
    pthread_mutex_unlock(&lock);
    if (start > limit) break;
    count += count_segment(start, composite);
    ++*(uint64_t *)segments_done;
  }
  pthread_mutex_lock(&lock);
  total += count;
  pthread_mutex_unlock(&lock);
  return NULL;
}

int main(int argc, char **argv) {
  int thread_count = 4;
  if (argc > 1 && strcmp(argv[1], "--help") == 0) {
    printf("usage: primes [LIMIT [THREADS]]\nCounts the primes up to LIMIT (%llu) on THREADS (%d) threads.\n",
           (unsigned long long)limit, thread_count);
    return 0;
  }
  if (argc > 1) limit = strtoull(argv[1], NULL, 0);
  if (argc > 2) thread_count = atoi(argv[2]);
  if (limit < 2 || limit > 1ull << 40 || thread_count < 1 || thread_count > MAX_THREADS) {
    fprintf(stderr, "primes: LIMIT is from 2 to 2^40, THREADS from 1 to %d\n", MAX_THREADS);
    return 2;
  }
  struct timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  find_base_primes();
  pthread_t threads[MAX_THREADS];
  uint64_t segments[MAX_THREADS] = {0};
  for (int i = 0; i < thread_count; i++) {
    int error = pthread_create(&threads[i], NULL, work, &segments[i]);
    if (error) {
      fprintf(stderr, "primes: thread %d: %s\n", i, strerror(error));
      return 1;
    }
  }
  for (int i = 0; i < thread_count; i++) pthread_join(threads[i], NULL);
  clock_gettime(CLOCK_MONOTONIC, &after);
  printf("%llu primes up to %llu\n", (unsigned long long)total, (unsigned long long)limit);
  fprintf(stderr, "%.0f ms; segments by thread:", (after.tv_sec - before.tv_sec) * 1e3 +
                                                      (after.tv_nsec - before.tv_nsec) / 1e6);
  for (int i = 0; i < thread_count; i++) fprintf(stderr, " %llu", (unsigned long long)segments[i]);
  fputc('\n', stderr);
  return 0;
}
