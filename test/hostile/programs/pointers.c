// Makes the system calls that standard input lists, one per line, and prints how each ended:
//
//   NAME NUMBER ARGUMENT…
//
// An argument is a number, @NAME (a file of that kind, opened for the occasion), $NAME (a structure in memory that is
// what the call wants) or !NAME (memory that is not what it wants). Prints "NAME ARGUMENT… ERRNO"; for names with a "="
// in front the result instead of "ok". A call that waits is ended after a while.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PAGE 4096
#define BUFFER 65536

static void die(const char *what) {
  perror(what);
  exit(99);
}

// --- Memory ----------------------------------------------------------------------------------------------------------

static char *buffer;   // readable and writable
static char *end;      // four bytes before memory that is not there
static char *unmapped; // nothing there
static char *none;     // PROT_NONE
static char *readonly; // ones that cannot be written

static void prepare_memory(void) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  char *area = mmap(NULL, BUFFER + 8 * PAGE, PROT_NONE, flags, -1, 0);
  if (area == MAP_FAILED) die("mmap");
  buffer = area + PAGE;
  mprotect(buffer, BUFFER, PROT_READ | PROT_WRITE);
  readonly = buffer + BUFFER + PAGE;
  mprotect(readonly, PAGE, PROT_READ | PROT_WRITE);
  memset(readonly, 1, PAGE);
  mprotect(readonly, PAGE, PROT_READ);
  none = readonly + 2 * PAGE;
  unmapped = none + PAGE;
  munmap(unmapped, PAGE);
  // With nothing behind it.
  char *pair = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
  munmap(pair + PAGE, PAGE);
  end = pair + PAGE - 4;
}

static long hostile(const char *name) {
  if (strcmp(name, "null") == 0) return 0;
  if (strcmp(name, "one") == 0) return 1;
  if (strcmp(name, "end") == 0) return (long)end;
  if (strcmp(name, "unmapped") == 0) return (long)unmapped;
  if (strcmp(name, "none") == 0) return (long)none;
  if (strcmp(name, "readonly") == 0) return (long)readonly;
  if (strcmp(name, "last") == 0) return 0x7ffffffff000;
  if (strcmp(name, "hole") == 0) return 0x800000000000;
  if (strcmp(name, "kernel") == 0) return (long)0xffff888000000000;
  if (strcmp(name, "minus") == 0) return -8;
  die(name);
  return 0;
}

// Structures are carved from the buffer, each 1 KiB; the first 4 KiB are for data.
static char *next_structure;

static void *put(const void *bytes, size_t size) {
  void *at = next_structure;
  next_structure += 1024;
  memcpy(at, bytes, size);
  return at;
}

static long structure(const char *name) {
  if (strcmp(name, "buf") == 0) return (long)buffer;
  if (strcmp(name, "zeros") == 0) return (long)put("", 1);
  if (strcmp(name, "file") == 0) return (long)put("file", 5);
  if (strcmp(name, "dir") == 0) return (long)put(".", 2);
  if (strcmp(name, "new") == 0) return (long)put("new", 4);
  if (strcmp(name, "nothing") == 0) return (long)put("nothing/at/all", 15);
  if (strcmp(name, "link") == 0) return (long)put("link", 5);
  if (strcmp(name, "word") == 0) return (long)put("word", 5);
  if (strcmp(name, "xattr") == 0) return (long)put("user.name", 10);
  if (strcmp(name, "iov") == 0) return (long)put((long[]){(long)buffer, 16}, 16);
  if (strcmp(name, "len") == 0) return (long)put((int[]){110}, 4);
  if (strcmp(name, "address") == 0) {
    struct sockaddr_un address = {AF_UNIX, "nothing"};
    return (long)put(&address, sizeof address);
  }
  if (strcmp(name, "msg") == 0) {
    void *iov = put((long[]){(long)buffer, 16}, 16);
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = 1};
    return (long)put(&message, sizeof message);
  }
  if (strcmp(name, "strings") == 0) return (long)put((long[]){0}, 8);
  if (strcmp(name, "sigset") == 0) return (long)put((long[]){0}, 8);
  if (strcmp(name, "capabilities") == 0) return (long)put((int[]){0x20080522, 0}, 8);
  if (strcmp(name, "limit") == 0) {
    struct rlimit limit;
    getrlimit(RLIMIT_CORE, &limit);
    return (long)put(&limit, sizeof limit);
  }
  if (strcmp(name, "sigevent") == 0) {
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    return (long)put(&event, sizeof event);
  }
  if (strcmp(name, "lock") == 0) {
    struct flock lock = {.l_type = F_RDLCK};
    return (long)put(&lock, sizeof lock);
  }
  die(name);
  return 0;
}

// --- Files -----------------------------------------------------------------------------------------------------------

static int opened[16], count_opened;

static int keep(int fd) {
  if (fd < 0) die("a file");
  opened[count_opened++] = fd;
  return fd;
}

static long file(const char *name) {
  int pair[2];
  if (strcmp(name, "file") == 0) return keep(open("file", O_RDWR));
  if (strcmp(name, "dir") == 0) return keep(open(".", O_RDONLY | O_DIRECTORY));
  if (strcmp(name, "null") == 0) return keep(open("/dev/null", O_RDWR));
  if (strcmp(name, "zero") == 0) return keep(open("/dev/zero", O_RDWR));
  if (strcmp(name, "pty") == 0) return keep(open("/dev/ptmx", O_RDWR | O_NOCTTY));
  if (strcmp(name, "reader") == 0 || strcmp(name, "writer") == 0) {
    if (pipe2(pair, O_NONBLOCK) != 0) die("pipe2");
    keep(pair[0]);
    keep(pair[1]);
    if (name[0] == 'r' && write(pair[1], "some bytes to read", 18) < 0) die("write");
    return pair[name[0] == 'w'];
  }
  if (strcmp(name, "socket") == 0) return keep(socket(AF_UNIX, SOCK_STREAM, 0));
  if (strcmp(name, "stream") == 0 || strcmp(name, "datagram") == 0) {
    int type = name[0] == 's' ? SOCK_STREAM : SOCK_DGRAM;
    if (socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, pair) != 0) die("socketpair");
    keep(pair[0]);
    keep(pair[1]);
    if (write(pair[1], "some bytes to read", 18) < 0) die("write");
    return pair[0];
  }
  if (strcmp(name, "listener") == 0) {
    // With somebody who waits.
    int listener = keep(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof address;
    if (bind(listener, (void *)&address, 2) != 0 || listen(listener, 5) != 0) die("listen");
    getsockname(listener, (void *)&address, &length);
    if (connect(keep(socket(AF_UNIX, SOCK_STREAM, 0)), (void *)&address, length) != 0) die("connect");
    return listener;
  }
  if (strcmp(name, "epoll") == 0) {
    int epoll = keep(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, keep(eventfd(1, 0)), &event) != 0) die("epoll_ctl");
    return epoll;
  }
  if (strcmp(name, "event") == 0) return keep(eventfd(1, EFD_NONBLOCK));
  if (strcmp(name, "timer") == 0) return keep(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
  die(name);
  return 0;
}

// --- Calls -----------------------------------------------------------------------------------------------------------

static long argument(const char *text) {
  if (text[0] == '@') return file(text + 1);
  if (text[0] == '$') return structure(text + 1);
  if (text[0] == '!') return hostile(text + 1);
  return strtol(text, NULL, 0);
}

static void wake(int signal) { (void)signal; }

// A directory of our own, on a file system that is the same everywhere.
static char directory[64];

static void prepare_files(void) {
  snprintf(directory, sizeof directory, "/dev/shm/pointers.%d", getpid());
  if (mkdir(directory, 0755) != 0 || chdir(directory) != 0) die(directory);
  FILE *file = fopen("file", "w");
  fputs("some text in a file that is longer\n", file);
  fclose(file);
  if (symlink("file", "link") != 0) die("link");
  if (setxattr("file", "user.name", "some value", 10, 0) != 0) die("setxattr");
}

static void remove_files(void) {
  unlink("file");
  unlink("link");
  rmdir(directory);
}

int main(void) {
  prepare_memory();
  prepare_files();
  struct sigaction action = {.sa_handler = wake};
  sigaction(SIGALRM, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  // Timer 0.
  struct sigevent event = {.sigev_notify = SIGEV_NONE};
  int timer;
  if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer) != 0) die("timer_create");
  char line[256];
  while (fgets(line, sizeof line, stdin) != NULL) {
    char *words[10], *rest = line;
    int count = 0;
    char copy[256];
    line[strcspn(line, "\n")] = 0;
    strcpy(copy, line);
    for (char *word; count < 8 && (word = strsep(&rest, " ")) != NULL;) words[count++] = word;
    memset(buffer, 0, BUFFER);
    memcpy(end, "abcd", 4);
    next_structure = buffer + PAGE;
    count_opened = 0;
    long values[6] = {0};
    for (int index = 0; index < count - 2; index++) values[index] = argument(words[index + 2]);
    struct itimerval soon = {{0, 200000}, {0, 200000}}, never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &soon, NULL);
    long result = syscall(strtol(words[1], NULL, 0), values[0], values[1], values[2], values[3], values[4], values[5]);
    int error = errno;
    setitimer(ITIMER_REAL, &never, NULL);
    if (result == -1) printf("%s: %s\n", copy, strerrorname_np(error));
    else if (copy[0] == '=') printf("%s: %ld\n", copy, result);
    else printf("%s: ok\n", copy);
    for (int index = 0; index < count_opened; index++) close(opened[index]);
    fflush(stdout);
  }
  remove_files();
  return 0;
}
