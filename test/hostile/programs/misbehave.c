// One program that misbehaves in the way that its argument names. Where it survives it says what stopped it.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static char **arguments;

static int stopped(const char *what, long count, int error) {
  printf("%s: %ld, then %s\n", what, count, strerrorname_np(error));
  return 3;
}

// --- Wild control flow and accesses ----------------------------------------------------------------------------------

static void jump(uint64_t where) { ((void (*)(void))where)(); }

static char data[4096] = {(char)0xc3};

static int jump_unmapped(void) { return jump(0x123456789000), 0; }
static int jump_null(void) { return jump(0), 0; }
static int jump_data(void) { return jump((uint64_t)data), 0; }
static int jump_noncanonical(void) { return jump(0x8000000000000000), 0; }
static int jump_kernel(void) { return jump(0xffffffff81000000), 0; }
static int jump_middle(void) { return jump((uint64_t)&jump_kernel + 1), 1; }

static int return_wild(void) {
  __asm__ volatile("push $0x7eadbeef\n ret");
  return 0;
}

static int read_null(void) { return *(volatile int *)8; }
static int read_noncanonical(void) { return *(volatile int *)0x8000000000000000; }
static int read_kernel(void) { return *(volatile int *)0xffffffff81000000; }
static int write_text(void) { return *(volatile int *)(uint64_t)&write_text = 1; }
static int write_constant(void) { return *(volatile char *)(uint64_t)"constant" = 1; }

static int stack_wild(void) {
  __asm__ volatile("mov $0x1234567, %rsp\n push %rax");
  return 0;
}

static int stack_noncanonical(void) {
  __asm__ volatile("mov $0x8000000000000000, %rax\n mov %rax, %rsp\n push %rax");
  return 0;
}

static int past_file(void) {
  char name[] = "/tmp/misbehave.XXXXXX";
  int fd = mkstemp(name);
  unlink(name);
  if (write(fd, "x", 1) != 1) return 1;
  char *map = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
  return ((volatile char *)map)[5000];
}

static volatile int depth;
static int recurse(void) {
  volatile char frame[300];
  frame[0] = (char)depth++;
  return recurse() + frame[0];
}

static void recurse_in_handler(int signal) {
  (void)signal;
  recurse();
}

static int recurse_with_handler(void) {
  stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
  sigaltstack(&stack, NULL);
  struct sigaction action = {.sa_handler = recurse_in_handler, .sa_flags = SA_ONSTACK};
  sigaction(SIGSEGV, &action, NULL);
  return recurse();
}

static int huge_frame(void) {
  volatile char frame[100 << 20];
  frame[0] = 1;
  return frame[0];
}

// --- Instructions ----------------------------------------------------------------------------------------------------

static int illegal(void) {
  __asm__ volatile("ud2");
  return 0;
}
static int too_long(void) {
  __asm__ volatile(".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x90");
  return 0;
}
static int privileged(void) {
  __asm__ volatile("hlt");
  return 0;
}
static int control_register(void) {
  long value;
  __asm__ volatile("mov %%cr3, %0" : "=r"(value));
  return (int)value;
}
static int port(void) {
  __asm__ volatile("outb %%al, $0x80" : : "a"(0));
  return 0;
}
static int interrupts_off(void) {
  __asm__ volatile("cli");
  return 0;
}
static int breakpoint(void) {
  __asm__ volatile("int3");
  return 0;
}
static int single_step(void) {
  __asm__ volatile("pushf\n orl $0x100, (%rsp)\n popf\n nop");
  return 0;
}
static int divide_zero(void) {
  volatile int zero = 0;
  return 7 / zero;
}
static int divide_overflow(void) {
  volatile int least = -0x7fffffff - 1, minus = -1;
  return least / minus;
}
static int float_trap(void) {
  feenableexcept(FE_DIVBYZERO);
  volatile double zero = 0;
  return 1 / zero > 0;
}
static int x87_trap(void) {
  short control = 0x37b;
  __asm__ volatile("fldcw %0\n fld1\n fldz\n fdivrp\n fwait" : : "m"(control));
  return 0;
}
static int misaligned(void) {
  __asm__ volatile("movaps %%xmm0, 1(%0)" : : "r"(data) : "memory");
  return 0;
}

// --- Signals ---------------------------------------------------------------------------------------------------------

static int abort_(void) { abort(); }
static int kill_realtime(void) { return kill(getpid(), 64), 0; }
static int kill_blocked(void) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  kill(getpid(), SIGKILL);
  return 0;
}

static void again(int signal) { raise(signal); }
static int signal_storm(void) {
  struct sigaction action = {.sa_handler = again, .sa_flags = SA_NODEFER};
  sigaction(SIGUSR1, &action, NULL);
  return raise(SIGUSR1);
}

static void nothing(int signal) { (void)signal; }
static int fault_forever(void) {
  signal(SIGSEGV, nothing);
  alarm(1);
  return *(volatile int *)8;
}

static int handler_wild(void) {
  signal(SIGUSR1, (void (*)(int))0x123456789000);
  return raise(SIGUSR1);
}

static int fault_blocked(void) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  return *(volatile int *)8;
}

static int spin_until_alarm(void) {
  alarm(1);
  for (;;) __asm__ volatile("pause");
}

static int bad_frame(void) {
  __asm__ volatile("mov $15, %eax\n mov $0x500, %rsp\n syscall");
  return 0;
}

// --- Until there is no more ------------------------------------------------------------------------------------------

static int allocate(void) {
  for (long count = 0;; count++) {
    char *part = malloc(1 << 20);
    if (part == NULL) return stopped("allocations", count < 8 ? count : 8, errno);
    memset(part, 1, 1 << 20);
  }
}

static int allocate_break(void) {
  for (long count = 0;; count++) {
    char *part = sbrk(1 << 20);
    if (part == (char *)-1) return stopped("breaks", count < 8 ? count : 8, errno);
    memset(part, 1, 1 << 20);
  }
}

static int overcommit(void) {
  for (;;) {
    char *part = mmap(NULL, 1 << 24, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (part == MAP_FAILED) return stopped("areas", 0, errno);
    memset(part, 1, 1 << 24);
  }
}

static int reserve(void) {
  for (long count = 0;; count++) {
    if (mmap(NULL, 1L << 40, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == MAP_FAILED)
      return stopped("reservations", count > 0, errno);
  }
}

static int map_many(void) {
  for (long count = 0;; count++) {
    // Neighbours that cannot become one.
    int protection = count % 2 == 0 ? PROT_READ : PROT_NONE;
    if (mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
      return stopped("mappings", count > 60000 ? 60000 : count, errno);
  }
}

static int open_many(void) {
  closefrom(3);
  for (long count = 0;; count++)
    if (open("/dev/null", O_RDONLY) < 0) return stopped("files", count, errno);
}

static int pipe_many(void) {
  closefrom(3);
  int pair[2];
  for (long count = 0;; count++)
    if (pipe(pair) != 0) return stopped("pipes", count, errno);
}

static int socket_fill(void) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0) return 1;
  for (long count = 0;; count++)
    if (send(pair[0], data, sizeof data, MSG_DONTWAIT) < 0) return stopped("datagrams", count > 0, errno);
}

// Descriptors in flight in sockets that are closed: nobody can ever receive them.
static int descriptor_circle(void) {
  for (long count = 0; count < 20000; count++) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return stopped("circles", count > 10, errno);
    char control[CMSG_SPACE(8)] = {0};
    struct iovec part = {data, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(8);
    memcpy(CMSG_DATA(header), pair, 8);
    if (sendmsg(pair[0], &message, 0) < 0) return stopped("circles", count > 10, errno);
    close(pair[0]);
    close(pair[1]);
  }
  puts("20000 circles");
  return 0;
}

static int timer_many(void) {
  struct sigevent event = {.sigev_notify = SIGEV_NONE};
  int timer;
  for (long count = 0; count < 1000000; count++)
    if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer) != 0) return stopped("timers", count > 1000, errno);
  return 0;
}

static int signal_many(void) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  for (long count = 0; count < 1000000; count++)
    if (sigqueue(getpid(), SIGRTMIN, (union sigval){0}) != 0) return stopped("signals", count > 1000, errno);
  return 0;
}

static int epoll_deep(void) {
  int inner = eventfd(0, 0);
  for (long count = 0;; count++) {
    int outer = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event) != 0) return stopped("levels", count, errno);
    inner = outer;
  }
}

static int epoll_circle(void) {
  int one = epoll_create1(0), two = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  if (epoll_ctl(one, EPOLL_CTL_ADD, two, &event) != 0) return 1;
  return epoll_ctl(two, EPOLL_CTL_ADD, one, &event) != 0 ? stopped("epoll", 1, errno) : 0;
}

static void *wait_forever(void *argument) {
  for (;;) pause();
  return argument;
}

static int thread_many(void) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 16384);
  for (long count = 0;; count++) {
    pthread_t thread;
    int error = pthread_create(&thread, &attributes, wait_forever, NULL);
    if (error != 0) return stopped("threads", count > 100 ? 100 : count, error);
  }
}

static int child_many(void) {
  for (long count = 0;; count++) {
    char *child[] = {arguments[0], "sleep", NULL};
    pid_t pid;
    int error = posix_spawn(&pid, arguments[0], NULL, NULL, child, environ);
    if (error == 0) continue;
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    return stopped("children", count > 10 ? 10 : count, error);
  }
}

static int sleep_forever(void) { return pause(); }

static int file_fill(void) {
  int fd = open("/tmp/misbehave", O_RDWR | O_CREAT | O_TRUNC, 0600);
  unlink("/tmp/misbehave");
  for (long count = 0;; count++)
    if (write(fd, data, sizeof data) < 0) return stopped("pages", count > 1000, errno);
}

static int memory_file_fill(void) {
  int fd = memfd_create("fill", 0);
  for (long count = 0;; count++)
    if (write(fd, data, sizeof data) < 0) return stopped("pages", count > 1000, errno);
}

static int shared_fill(void) {
  size_t size = 1L << 34;
  int fd = memfd_create("fill", 0);
  if (ftruncate(fd, size) != 0) return stopped("truncate", 0, errno);
  char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) return stopped("map", 0, errno);
  memset(map, 1, size);
  return 0;
}

static int directory_many(void) {
  char name[64];
  for (long count = 0; count < 5000000; count++) {
    snprintf(name, sizeof name, "/dev/shm/misbehave.%ld", count);
    int fd = open(name, O_WRONLY | O_CREAT, 0600);
    if (fd < 0) return stopped("files", count > 1000, errno);
    close(fd);
  }
  return 0;
}

static int mount_many(void) {
  for (long count = 0; count < 300000; count++)
    if (mount("none", "/tmp", "tmpfs", 0, NULL) != 0) return stopped("mounts", count > 1000, errno);
  return 0;
}

// Far deeper than any path can name, and then everything from the top.
static int directory_deep(void) {
  long count = 0;
  if (mkdir("/dev/shm/deep", 0755) != 0 || chdir("/dev/shm/deep") != 0) return 1;
  while (count < 20000 && mkdir("d", 0755) == 0 && chdir("d") == 0) count++;
  char path[8192];
  int named = getcwd(path, sizeof path) != NULL;
  if (chdir("/dev/shm") != 0 || rename("deep", "deeper") != 0) return 1;
  printf("directories: %d, named: %d, removed: %d\n", count > 10000, named, rmdir("deeper") == 0);
  return 3;
}

static int mount_deep(void) {
  long count = 0;
  if (chdir("/dev/shm") != 0) return 1;
  while (count < 5000 && mkdir("d", 0755) == 0 && mount("none", "d", "tmpfs", 0, NULL) == 0 && chdir("d") == 0)
    count++;
  if (chdir("/") != 0) return 1;
  printf("mounts: %d, busy: %d, detached: %d\n", count > 1000, umount2("/dev/shm/d", 0) != 0,
         umount2("/dev/shm/d", MNT_DETACH) == 0);
  return 3;
}

static int send_descriptor(int over, int fd) {
  char control[CMSG_SPACE(4)] = {0};
  struct iovec part = {data, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(4);
  memcpy(CMSG_DATA(header), &fd, 4);
  return (int)sendmsg(over, &message, 0);
}

// A socket in a socket in a socket …
static int descriptor_deep(void) {
  int inner = eventfd(0, 0);
  for (long count = 0; count < 100000; count++) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return stopped("sockets", count > 2, errno);
    if (send_descriptor(pair[0], inner) < 0) return stopped("sockets", count > 2, errno);
    close(inner);
    close(pair[0]);
    inner = pair[1];
  }
  close(inner);
  puts("100000 sockets");
  return 0;
}

static int execute_again(void) {
  int left = arguments[2] == NULL ? 200 : atoi(arguments[2]);
  if (left == 0) return 7;
  char text[16];
  snprintf(text, sizeof text, "%d", left - 1);
  execl(arguments[0], arguments[0], arguments[1], text, NULL);
  return 1;
}

// --- Output ----------------------------------------------------------------------------------------------------------

static int closed_pipe(void) {
  int pair[2];
  if (pipe(pair) != 0) return 1;
  close(pair[0]);
  return write(pair[1], "x", 1) < 0;
}

static int closed_pipe_ignored(void) {
  signal(SIGPIPE, SIG_IGN);
  int pair[2];
  if (pipe(pair) != 0) return 1;
  close(pair[0]);
  return write(pair[1], "x", 1) < 0 ? stopped("writes", 0, errno) : 0;
}

// So many MiB to standard output.
static int flood(void) {
  static char text[65536];
  memset(text, 'x', sizeof text);
  long left = (arguments[2] == NULL ? 1L << 40 : atol(arguments[2])) << 4;
  for (; left > 0; left--)
    if (write(1, text, sizeof text) < 0) return 4;
  return 0;
}

static int flood_ignoring(void) {
  signal(SIGPIPE, SIG_IGN);
  return flood();
}

static const struct {
  const char *name;
  int (*act)(void);
} acts[] = {
    {"jump-unmapped", jump_unmapped},
    {"jump-null", jump_null},
    {"jump-data", jump_data},
    {"jump-noncanonical", jump_noncanonical},
    {"jump-kernel", jump_kernel},
    {"jump-middle", jump_middle},
    {"return-wild", return_wild},
    {"read-null", read_null},
    {"read-noncanonical", read_noncanonical},
    {"read-kernel", read_kernel},
    {"write-text", write_text},
    {"write-constant", write_constant},
    {"stack-wild", stack_wild},
    {"stack-noncanonical", stack_noncanonical},
    {"past-file", past_file},
    {"recurse", recurse},
    {"recurse-with-handler", recurse_with_handler},
    {"huge-frame", huge_frame},
    {"illegal", illegal},
    {"too-long", too_long},
    {"privileged", privileged},
    {"control-register", control_register},
    {"port", port},
    {"interrupts-off", interrupts_off},
    {"breakpoint", breakpoint},
    {"single-step", single_step},
    {"divide-zero", divide_zero},
    {"divide-overflow", divide_overflow},
    {"float-trap", float_trap},
    {"x87-trap", x87_trap},
    {"misaligned", misaligned},
    {"abort", abort_},
    {"kill-realtime", kill_realtime},
    {"kill-blocked", kill_blocked},
    {"signal-storm", signal_storm},
    {"fault-forever", fault_forever},
    {"handler-wild", handler_wild},
    {"fault-blocked", fault_blocked},
    {"spin-until-alarm", spin_until_alarm},
    {"bad-frame", bad_frame},
    {"allocate", allocate},
    {"allocate-break", allocate_break},
    {"overcommit", overcommit},
    {"reserve", reserve},
    {"map-many", map_many},
    {"open-many", open_many},
    {"pipe-many", pipe_many},
    {"socket-fill", socket_fill},
    {"descriptor-circle", descriptor_circle},
    {"timer-many", timer_many},
    {"signal-many", signal_many},
    {"epoll-deep", epoll_deep},
    {"epoll-circle", epoll_circle},
    {"thread-many", thread_many},
    {"child-many", child_many},
    {"sleep", sleep_forever},
    {"file-fill", file_fill},
    {"memory-file-fill", memory_file_fill},
    {"shared-fill", shared_fill},
    {"directory-many", directory_many},
    {"mount-many", mount_many},
    {"directory-deep", directory_deep},
    {"mount-deep", mount_deep},
    {"descriptor-deep", descriptor_deep},
    {"execute-again", execute_again},
    {"closed-pipe", closed_pipe},
    {"closed-pipe-ignored", closed_pipe_ignored},
    {"flood", flood},
    {"flood-ignoring", flood_ignoring},
};

int main(int argc, char **argv) {
  arguments = argv;
  // No core files on the host.
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  for (unsigned index = 0; argc > 1 && index < sizeof acts / sizeof acts[0]; index++)
    if (strcmp(argv[1], acts[index].name) == 0) return acts[index].act();
  fprintf(stderr, "usage: misbehave ACT\n");
  return 2;
}
