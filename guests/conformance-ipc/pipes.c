/* Pipes: capacity, atomic writes, blocking, end of file, SIGPIPE, FIFOs, F_SETPIPE_SZ, packets. */
#include "report.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

static int p[2];
static char buffer[200000];
static volatile sig_atomic_t pipes;

static void on_sigpipe(int signal) { (void)signal; pipes++; }

static long fill(size_t size) {
  long total = 0, n;
  while ((n = write(p[1], buffer, size)) > 0) total += n;
  return total;
}

static void again(int flags) {
  close(p[0]);
  close(p[1]);
  if (pipe2(p, flags) != 0) exit(1);
}

static int events(int fd) {
  struct pollfd f = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};
  poll(&f, 1, 0);
  return f.revents;
}

static void *late_writer(void *arg) {
  usleep(20000);
  write(p[1], arg, strlen(arg));
  usleep(20000);
  close(p[1]);
  return NULL;
}

static void *slow_reader(void *arg) {
  long *total = arg, n;
  char some[3000];
  while ((n = read(p[0], some, sizeof some)) > 0) *total += n;
  return NULL;
}

static void *fifo_writer(void *arg) {
  int fd = open(arg, O_WRONLY);
  write(fd, "through the fifo", 16);
  close(fd);
  return NULL;
}

int main(void) {
  int n = 0;
  pthread_t thread;
  signal(SIGPIPE, on_sigpipe);

  SECTION("creation");
  R(pipe2(p, O_NONBLOCK | O_CLOEXEC));
  R(pipe2(p, O_RDWR | O_APPEND));
  R(pipe2((int *)8, 0));
  V(fcntl(p[0], F_GETFL) & (O_ACCMODE | O_NONBLOCK));
  V(fcntl(p[1], F_GETFL) & (O_ACCMODE | O_NONBLOCK));
  V(fcntl(p[0], F_GETFD));
  R(read(p[1], buffer, 1));
  R(write(p[0], buffer, 1));
  R(lseek(p[0], 0, SEEK_CUR));
  R(pread(p[0], buffer, 1, 0));
  struct stat st;
  R(fstat(p[0], &st));
  V(S_ISFIFO(st.st_mode));
  V(st.st_mode & 07777);

  SECTION("capacity");
  R(fill(4096));
  again(O_NONBLOCK); R(fill(1));
  again(O_NONBLOCK); R(fill(1000));
  again(O_NONBLOCK); R(fill(5000));
  again(O_NONBLOCK); R(fill(100000));
  R(read(p[0], buffer, 100)); R(fill(1));
  R(read(p[0], buffer, 4096)); R(fill(1)); R(fill(4096));
  R(ioctl(p[0], FIONREAD, &n)); V(n);
  R(ioctl(p[1], FIONREAD, &n)); V(n);

  SECTION("F_SETPIPE_SZ");
  again(O_NONBLOCK);
  R(fcntl(p[1], F_GETPIPE_SZ));
  R(fcntl(p[1], F_SETPIPE_SZ, 5000));
  R(fill(4096));
  R(fcntl(p[1], F_SETPIPE_SZ, 100));
  R(fcntl(p[1], F_SETPIPE_SZ, 300000));
  R(fill(4096));
  R(fcntl(p[0], F_SETPIPE_SZ, 0));
  R(fcntl(0, F_GETPIPE_SZ + 1000));

  SECTION("poll");
  again(O_NONBLOCK);
  V(events(p[0])); V(events(p[1]));
  R(write(p[1], "abc", 3));
  V(events(p[0])); V(events(p[1]));
  fill(4096);
  V(events(p[0])); V(events(p[1]));
  R(read(p[0], buffer, 3)); V(events(p[1]));
  R(read(p[0], buffer, 4096)); V(events(p[1]));
  close(p[1]);
  V(events(p[0]));
  while (read(p[0], buffer, sizeof buffer) > 0) {}
  V(events(p[0]));
  R(read(p[0], buffer, 10));
  pipe2(p, O_NONBLOCK);
  close(p[0]);
  V(events(p[1]));
  R(write(p[1], "x", 1)); V(pipes);
  R(write(p[1], "", 0)); V(pipes);

  SECTION("blocking");
  pipe2(p, 0);
  pthread_create(&thread, NULL, late_writer, "late");
  memset(buffer, 0, 10);
  R(read(p[0], buffer, 10)); puts(buffer);
  R(read(p[0], buffer, 10));
  pthread_join(thread, NULL);
  pipe2(p, 0);
  long total = 0;
  pthread_create(&thread, NULL, slow_reader, &total);
  R(write(p[1], buffer, sizeof buffer));
  close(p[1]);
  pthread_join(thread, NULL);
  V(total);

  SECTION("packets");
  if (pipe2(p, O_DIRECT | O_NONBLOCK) != 0) return 1;
  R(write(p[1], "first", 5)); R(write(p[1], "second", 6));
  R(read(p[0], buffer, 3)); R(read(p[0], buffer, 100)); R(read(p[0], buffer, 100));
  R(fill(5000));

  SECTION("fifo");
  char name[] = "/tmp/conformance-fifo-XXXXXX";
  mkdtemp(name);
  chdir(name);
  R(mkfifo("f", 0600));
  R(mkfifo("f", 0600));
  R(open("f", O_WRONLY | O_NONBLOCK));
  int r = open("f", O_RDONLY | O_NONBLOCK);
  V(r >= 0);
  V(events(r));
  R(read(r, buffer, 10));
  int w = open("f", O_WRONLY | O_NONBLOCK);
  V(w >= 0);
  V(events(r)); V(events(w));
  R(read(r, buffer, 10));
  R(write(w, "xyz", 3));
  close(w);
  V(events(r));
  R(read(r, buffer, 10));
  R(read(r, buffer, 10));
  V(events(r));
  close(r);
  pthread_create(&thread, NULL, fifo_writer, "f");
  r = open("f", O_RDONLY);
  memset(buffer, 0, 100);
  R(read(r, buffer, 100)); puts(buffer);
  pthread_join(thread, NULL);
  R(read(r, buffer, 100));
  int both = open("f", O_RDWR);
  R(write(both, "self", 4));
  R(read(both, buffer, 10));
  R(unlink("f"));
  chdir("/");
  R(rmdir(name) == 0);
  return 0;
}
