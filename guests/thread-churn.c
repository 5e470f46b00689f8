/* thread-churn: creates and joins many threads, to see whether anything leaks. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *add_one(void *sum) {
  ++*(long *)sum;
  return NULL;
}

int main(int argc, char **argv) {
  long count = 10000, sum = 0;
  if (argc > 1 && strcmp(argv[1], "--help") == 0) {
    printf("usage: thread-churn [COUNT]\nCreates and joins COUNT (%ld) threads, one after the other.\n", count);
    return 0;
  }
  if (argc > 1) count = atol(argv[1]);
  for (long i = 0; i < count; i++) {
    pthread_t thread;
    int error = pthread_create(&thread, NULL, add_one, &sum);
    if (error) {
      fprintf(stderr, "thread-churn: thread %ld: %s\n", i, strerror(error));
      return 1;
    }
    pthread_join(thread, NULL);
  }
  printf("%ld threads\n", sum);
  return sum != count;
}
