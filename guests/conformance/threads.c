// POSIX threads: creation, joining, mutexes, condition variables, barriers, thread-local storage, cancellation.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
#define ROUNDS 2000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;
static _Thread_local long own = 5;
static pthread_barrier_t barrier;

static void *count(void *argument) {
  for (int i = 0; i < ROUNDS; i++) {
    pthread_mutex_lock(&mutex);
    counter++;
    pthread_mutex_unlock(&mutex);
    own++;
  }
  pthread_barrier_wait(&barrier);
  return (void *)((intptr_t)argument * 1000 + own);
}

// A bounded queue with two condition variables.
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, emptied = PTHREAD_COND_INITIALIZER;
static int queue[4], head, length;

static void *produce(void *argument) {
  for (int i = 1; i <= 500; i++) {
    pthread_mutex_lock(&mutex);
    while (length == 4) pthread_cond_wait(&emptied, &mutex);
    queue[(head + length++) % 4] = i;
    pthread_cond_signal(&filled);
    pthread_mutex_unlock(&mutex);
  }
  return argument;
}

static void *consume(void *argument) {
  long sum = 0;
  for (int i = 0; i < 500; i++) {
    pthread_mutex_lock(&mutex);
    while (length == 0) pthread_cond_wait(&filled, &mutex);
    sum += queue[head];
    head = (head + 1) % 4;
    length--;
    pthread_cond_signal(&emptied);
    pthread_mutex_unlock(&mutex);
  }
  *(long *)argument = sum;
  return NULL;
}

static void cleanup(void *argument) { printf("cleanup %s\n", (char *)argument); }

static void *sleeper(void *argument) {
  pthread_cleanup_push(cleanup, argument);
  for (;;) sleep(100);
  pthread_cleanup_pop(0);
  return NULL;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static void first(void) { puts("once"); }
static void *call_once(void *argument) {
  pthread_once(&once, first);
  return argument;
}

static pthread_key_t key;
static void destroy(void *value) { printf("destroy %s\n", (char *)value); }
static void *use_key(void *argument) {
  pthread_setspecific(key, argument);
  return NULL;
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static void *read_locked(void *argument) {
  pthread_rwlock_rdlock(&rwlock);
  long value = counter;
  pthread_rwlock_unlock(&rwlock);
  return (void *)(value + (intptr_t)argument);
}

static sem_t semaphore;
static void *post_three(void *argument) {
  for (int i = 0; i < 3; i++) {
    usleep(1000);
    sem_post(&semaphore);
  }
  return argument;
}

int main(void) {
  pthread_t threads[THREADS];
  void *result;
  pthread_barrier_init(&barrier, NULL, THREADS);
  for (intptr_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, count, (void *)i);
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], &result);
    printf("thread %d: %ld\n", i, (long)result);
  }
  printf("counter %ld, own %ld\n", counter, own);

  long sum;
  pthread_create(&threads[0], NULL, produce, NULL);
  pthread_create(&threads[1], NULL, consume, &sum);
  pthread_join(threads[0], NULL);
  pthread_join(threads[1], NULL);
  printf("sum %ld\n", sum);

  pthread_create(&threads[0], NULL, sleeper, "sleeper");
  usleep(2000);
  pthread_cancel(threads[0]);
  pthread_join(threads[0], &result);
  printf("cancelled %d\n", result == PTHREAD_CANCELED);

  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, call_once, NULL);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);

  pthread_key_create(&key, destroy);
  pthread_create(&threads[0], NULL, use_key, "value");
  pthread_join(threads[0], NULL);

  pthread_rwlock_wrlock(&rwlock);
  for (intptr_t i = 0; i < 4; i++) pthread_create(&threads[i], NULL, read_locked, (void *)i);
  usleep(1000);
  counter = 100;
  pthread_rwlock_unlock(&rwlock);
  for (int i = 0; i < 4; i++) {
    pthread_join(threads[i], &result);
    printf("read %ld\n", (long)result);
  }

  sem_init(&semaphore, 0, 0);
  pthread_create(&threads[0], NULL, post_three, NULL);
  for (int i = 0; i < 3; i++) sem_wait(&semaphore);
  pthread_join(threads[0], NULL);
  struct timespec soon;
  clock_gettime(CLOCK_REALTIME, &soon);
  soon.tv_nsec += 2000000;
  if (soon.tv_nsec >= 1000000000) soon.tv_nsec -= 1000000000, soon.tv_sec++;
  int status = sem_timedwait(&semaphore, &soon);
  printf("timedwait %d %d\n", status, errno == ETIMEDOUT);

  pthread_mutex_t checked;
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_init(&checked, &attributes);
  pthread_mutex_lock(&checked);
  printf("deadlock %d\n", pthread_mutex_lock(&checked) == EDEADLK);
  pthread_mutex_unlock(&checked);
  printf("not owner %d\n", pthread_mutex_unlock(&checked) == EPERM);

  // Many threads after each other: stacks and ids are used again.
  for (int i = 0; i < 300; i++) {
    pthread_create(&threads[0], NULL, use_key, NULL);
    pthread_join(threads[0], NULL);
  }
  size_t size;
  void *address;
  pthread_attr_t attr;
  pthread_getattr_np(pthread_self(), &attr);
  pthread_attr_getstack(&attr, &address, &size);
  char here;
  printf("main stack contains a local: %d\n", (char *)address <= &here && &here < (char *)address + size);
  puts("done");
  return 0;
}
