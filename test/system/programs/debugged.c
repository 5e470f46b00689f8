/* What the debugger tests step through. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct point {
  int x;
  double y;
  const char *name;
};

static int counter;
static struct point points[3] = {{1, 0.5, "one"}, {2, 1.5, "two"}, {3, 2.5, "three"}};
static volatile sig_atomic_t signals;

static int factorial(int n) {
  if (n <= 1)
    return 1;
  return n * factorial(n - 1);
}

static double total(const struct point *list, int count) {
  double sum = 0;
  for (int i = 0; i < count; i++) {
    sum += list[i].x * list[i].y;
    counter += list[i].x;
  }
  return sum;
}

static void on_signal(int number) {
  signals += number;
}

static void *work(void *argument) {
  int number = *(int *)argument;
  pthread_setname_np(pthread_self(), number == 1 ? "first" : "second");
  __atomic_fetch_add(&counter, number, __ATOMIC_SEQ_CST);
  return NULL;
}

int main(int argc, char **argv) {
  int f = factorial(5);
  double t = total(points, 3);
  printf("factorial %d, total %.2f, arguments %d\n", f, t, argc);
  pthread_t threads[2];
  int numbers[2] = {1, 2};
  for (int i = 0; i < 2; i++)
    pthread_create(&threads[i], NULL, work, &numbers[i]);
  for (int i = 0; i < 2; i++)
    pthread_join(threads[i], NULL);
  signal(SIGUSR1, on_signal);
  raise(SIGUSR1);
  printf("counter %d, signals %d\n", counter, signals);
  if (argc > 1 && strcmp(argv[1], "crash") == 0)
    *(volatile int *)0 = 1;
  return 3;
}
