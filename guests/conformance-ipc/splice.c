// splice(2), tee(2) and vmsplice(2): data, counts, positions and errors.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static char data[300000];

static unsigned sum(const char *bytes, long count) {
  unsigned value = 1;
  for (long i = 0; i < count; i++) value = value * 31 + (unsigned char)bytes[i];
  return value;
}

static void show(const char *what, long result) {
  if (result < 0) printf("%s: %s\n", what, strerror(errno));
  else printf("%s: %ld\n", what, result);
}

// What a pipe holds, without waiting.
static void drain(const char *what, int fd) {
  static char buffer[1 << 20];
  long total = 0, got;
  int reads = 0;
  while ((got = read(fd, buffer + total, sizeof buffer - total)) > 0) total += got, reads++;
  printf("%s: %ld bytes, sum %08x%s\n", what, total, sum(buffer, total), reads > 1 ? " in pieces" : "");
}

static int appending;

static int new_file(long size) {
  char name[] = "/tmp/splice-XXXXXX";
  int fd = mkstemp(name);
  appending = open(name, O_RDWR | O_APPEND);
  unlink(name);
  if (write(fd, data, size) != size) perror("write");
  lseek(fd, 0, SEEK_SET);
  return fd;
}

static void new_pipe(int *ends) {
  if (pipe2(ends, O_NONBLOCK) != 0) perror("pipe2");
}

static void *writer(void *end) {
  usleep(20000);
  if (write(*(int *)end, "late", 4) != 4) perror("write");
  return NULL;
}

int main(void) {
  for (unsigned i = 0, x = 7; i < sizeof data; i++) data[i] = (x = x * 1103515245 + 12345) >> 16;
  signal(SIGPIPE, SIG_IGN);
  int a[2], b[2];
  new_pipe(a);
  new_pipe(b);

  int file = new_file(200000);
  loff_t at = 100;
  show("file to pipe", splice(file, &at, a[1], NULL, 10000, 0));
  printf("position %ld, of the file %ld\n", (long)at, (long)lseek(file, 0, SEEK_CUR));
  show("pipe to pipe", splice(a[0], NULL, b[1], NULL, 5000, 0));
  drain("first", a[0]);
  drain("second", b[0]);

  show("until it is full", splice(file, NULL, a[1], NULL, 200000, 0));
  printf("of the file %ld\n", (long)lseek(file, 0, SEEK_CUR));
  show("full", splice(file, NULL, a[1], NULL, 200000, SPLICE_F_NONBLOCK));
  show("tee", tee(a[0], b[1], 1 << 20, 0));
  show("tee to a full one", tee(a[0], b[1], 1 << 20, SPLICE_F_NONBLOCK));
  drain("original", a[0]);
  drain("duplicate", b[0]);
  at = 199000;
  show("the end of a file", splice(file, &at, a[1], NULL, 5000, 0));
  show("behind the end", splice(file, &at, a[1], NULL, 5000, 0));
  drain("the end", a[0]);

  int target = new_file(10);
  if (write(a[1], data, 60000) != 60000) perror("write");
  at = 5000;
  show("pipe to file", splice(a[0], NULL, target, &at, 1 << 20, 0));
  printf("position %ld, of the file %ld\n", (long)at, (long)lseek(target, 0, SEEK_CUR));
  lseek(target, 0, SEEK_SET);
  drain("file", target);
  show("from an empty pipe", splice(a[0], NULL, target, NULL, 100, 0));
  show("from an empty pipe, not blocking", splice(b[0], NULL, target, NULL, 100, SPLICE_F_NONBLOCK));

  if (write(a[1], "abc", 3) != 3) perror("write");
  show("two writes", splice(a[0], NULL, b[1], NULL, 100, 0));
  if (write(b[1], "def", 3) != 3) perror("write");
  drain("both", b[0]);

  char one[5000], two[3000];
  memcpy(one, data, sizeof one);
  memcpy(two, data + 6000, sizeof two);
  struct iovec vector[] = {{one, sizeof one}, {two, sizeof two}};
  show("vmsplice", vmsplice(a[1], vector, 2, 0));
  drain("from memory", a[0]);
  if (write(a[1], data, 7000) != 7000) perror("write");
  char back[8000] = "";
  vector[0] = (struct iovec){back, 3000};
  vector[1] = (struct iovec){back + 3000, 5000};
  show("vmsplice to memory", vmsplice(a[0], vector, 2, 0));
  printf("sum %08x\n", sum(back, 7000));
  show("vmsplice of nothing", vmsplice(a[1], vector, 0, 0));
  vector[0].iov_base = (void *)16;
  show("vmsplice of memory that is not there", vmsplice(a[1], vector, 1, 0));

  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0) perror("socketpair");
  if (write(a[1], data, 9000) != 9000) perror("write");
  show("pipe to socket", splice(a[0], NULL, sockets[0], NULL, 9000, 0));
  show("socket to pipe", splice(sockets[1], NULL, b[1], NULL, 9000, 0));
  drain("through a socket", b[0]);
  int null = open("/dev/null", O_WRONLY);
  if (write(a[1], data, 5000) != 5000) perror("write");
  show("to /dev/null", splice(a[0], NULL, null, NULL, 5000, 0));

  int waiting[2], calm[2];
  if (pipe(waiting) != 0 || pipe(calm) != 0) perror("pipe");
  pthread_t thread;
  pthread_create(&thread, NULL, writer, &waiting[1]);
  show("waits for data", splice(waiting[0], NULL, calm[1], NULL, 100, 0));
  pthread_join(thread, NULL);
  fcntl(calm[0], F_SETFL, O_NONBLOCK);
  drain("late", calm[0]);
  show("does not wait", splice(waiting[0], NULL, b[1], NULL, 100, 0));
  close(waiting[1]);
  show("no writer", splice(waiting[0], NULL, b[1], NULL, 100, 0));
  show("tee without a writer", tee(waiting[0], b[1], 100, 0));

  int event = eventfd(1, 0);
  at = 0;
  loff_t negative = -1;
  if (write(a[1], "x", 1) != 1) perror("write");
  show("nothing", splice(-1, NULL, -1, NULL, 0, 0));
  show("unknown flags", splice(file, NULL, a[1], NULL, 1, 16));
  show("no descriptor", splice(-1, NULL, a[1], NULL, 1, 0));
  show("no pipe", splice(file, NULL, target, NULL, 1, 0));
  show("position of a pipe", splice(a[0], &at, target, NULL, 1, 0));
  show("the same pipe", splice(a[0], NULL, a[1], NULL, 1, 0));
  show("not readable", splice(a[1], NULL, b[1], NULL, 1, 0));
  show("not writable", splice(a[0], NULL, b[0], NULL, 1, 0));
  show("negative position", splice(a[0], NULL, target, &negative, 1, 0));
  show("eventfd", splice(event, NULL, b[1], NULL, 8, 0));
  show("append", splice(a[0], NULL, appending, NULL, 1, 0));
  show("position of a socket", splice(sockets[0], &at, b[1], NULL, 1, 0));
  show("position nowhere", splice(file, (loff_t *)16, b[1], NULL, 1, 0));
  show("tee of a file", tee(file, b[1], 1, 0));
  show("tee to itself", tee(a[0], a[1], 1, 0));
  show("tee of nothing", tee(-1, -1, 0, 0));
  show("vmsplice to a file", vmsplice(file, vector, 1, 0));
  close(b[0]);
  show("no reader", splice(file, NULL, b[1], NULL, 1, 0));
  show("tee without a reader", tee(a[0], b[1], 1, 0));
  return 0;
}
