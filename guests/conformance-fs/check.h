// What the programs of this folder share: system calls made directly (a C library would change flags, retry, or take
// another call), and each result printed with the call as it stands in the source.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const char *error_name(int number) {
  static const char *names[] = {
    [1] = "EPERM", [2] = "ENOENT", [4] = "EINTR", [5] = "EIO", [6] = "ENXIO", [7] = "E2BIG", [9] = "EBADF", [11] = "EAGAIN",
    [12] = "ENOMEM", [13] = "EACCES", [14] = "EFAULT", [15] = "ENOTBLK", [16] = "EBUSY", [17] = "EEXIST", [18] = "EXDEV",
    [19] = "ENODEV", [20] = "ENOTDIR", [21] = "EISDIR", [22] = "EINVAL", [24] = "EMFILE", [25] = "ENOTTY", [26] = "ETXTBSY",
    [27] = "EFBIG", [28] = "ENOSPC", [29] = "ESPIPE", [30] = "EROFS", [31] = "EMLINK", [32] = "EPIPE", [34] = "ERANGE",
    [35] = "EDEADLK", [36] = "ENAMETOOLONG", [38] = "ENOSYS", [39] = "ENOTEMPTY", [40] = "ELOOP", [61] = "ENODATA",
    [75] = "EOVERFLOW", [95] = "EOPNOTSUPP",
  };
  static char other[16];
  if (number > 0 && number < (int)(sizeof names / sizeof *names) && names[number]) return names[number];
  snprintf(other, sizeof other, "errno %d", number);
  return other;
}

static long show(const char *what, long result) {
  if (result == -1) printf("%s = -1 %s\n", what, error_name(errno));
  else printf("%s = %ld\n", what, result);
  return result;
}

// For results that differ from run to run: only that it worked.
__attribute__((unused)) static long show_ok(const char *what, long result) {
  if (result == -1) printf("%s = -1 %s\n", what, error_name(errno));
  else printf("%s = ok\n", what);
  return result;
}

// Every argument as a long: what a variadic function is given as an int has no upper half.
#define L1(a) (long)(a)
#define L2(a, ...) (long)(a), L1(__VA_ARGS__)
#define L3(a, ...) (long)(a), L2(__VA_ARGS__)
#define L4(a, ...) (long)(a), L3(__VA_ARGS__)
#define L5(a, ...) (long)(a), L4(__VA_ARGS__)
#define L6(a, ...) (long)(a), L5(__VA_ARGS__)
#define COUNT(a, b, c, d, e, f, n, ...) n
#define PASTE(a, b) a##b
#define LONGS_OF(n) PASTE(L, n)
#define LONGS(...) LONGS_OF(COUNT(__VA_ARGS__, 6, 5, 4, 3, 2, 1))(__VA_ARGS__)

#define CALL(name, ...) show(#name "(" #__VA_ARGS__ ")", syscall(SYS_##name, LONGS(__VA_ARGS__)))
#define CALL_OK(name, ...) show_ok(#name "(" #__VA_ARGS__ ")", syscall(SYS_##name, LONGS(__VA_ARGS__)))
#define SAY(...) (printf("-- "), printf(__VA_ARGS__), printf("\n"))

// Addresses that no program has: unmapped, in the kernel, not canonical.
#define BAD ((void *)16)
#define KERNEL ((void *)0xffff800000000000)
#define WILD ((void *)0x8000000000000000)

// A buffer that ends at an unmapped page; `fence()` is the first byte that is not there.
static char *fenced;
static void make_fence(void) {
  fenced = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(fenced + 8 * 4096, 8 * 4096);
}
__attribute__((unused)) static char *fence(void) { return fenced + 8 * 4096; }

static void make_file(const char *name, const char *text) {
  int fd = syscall(SYS_open, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (syscall(SYS_write, fd, text, strlen(text)) < 0) printf("cannot write %s\n", name);
  syscall(SYS_close, fd);
}

static char long_name[300];
static char long_path[8000];

// Starts in an empty directory `name` of the working directory, or of the one given on the command line.
static void start_in(int argc, char **argv, const char *name) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc > 1 && chdir(argv[1]) != 0) exit(1);
  umask(022);
  if (mkdir(name, 0755) != 0 || chdir(name) != 0) {
    printf("cannot make %s\n", name);
    exit(1);
  }
  memset(long_name, 'n', 255);
  for (int i = 0; i + 2 < (int)sizeof long_path; i += 2) memcpy(long_path + i, "./", 2);
  make_fence();
}
