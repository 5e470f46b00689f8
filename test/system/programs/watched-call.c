/* System calls that write to memory: at once, and after the thread has waited in one. */
#include <pthread.h>
#include <unistd.h>

static char first[8], second[8];
static int ends[2];

static void *reader(void *argument) {
  (void)argument;
  read(ends[0], second, sizeof second);
  return NULL;
}

int main(void) {
  pthread_t thread;
  pipe(ends);
  write(ends[1], "at once", 8);
  read(ends[0], first, sizeof first);
  pthread_create(&thread, NULL, reader, NULL);
  usleep(20000);
  write(ends[1], "waiting", 8);
  pthread_join(thread, NULL);
  return first[0] + second[0] == 'a' + 'w' ? 0 : 1;
}
