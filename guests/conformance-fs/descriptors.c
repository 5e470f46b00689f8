// dup, fcntl, locks, close-on-exec, memfd, ioctls of every file, /proc/self/fd.
#include "check.h"
#include <sys/file.h>

#ifndef F_OFD_GETLK
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#endif
#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_GET_SEALS 1034
#endif

static void print_lock(const struct flock *lock) {
  printf("type %d whence %d start %ld length %ld %s\n", lock->l_type, lock->l_whence, (long)lock->l_start, (long)lock->l_len,
         lock->l_pid == getpid() ? "mine" : lock->l_pid == -1 ? "-1" : lock->l_pid == 0 ? "0" : "other");
}

static long lock(long fd, int command, int type, long start, long length) {
  struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };
  long result = syscall(SYS_fcntl, fd, command, &lock);
  if (command == F_GETLK || command == F_OFD_GETLK) print_lock(&lock);
  return result;
}
#define LOCK(...) show("lock(" #__VA_ARGS__ ")", lock(__VA_ARGS__))

static void print_link(const char *name) {
  char text[4096];
  long length = readlink(name, text, sizeof text - 1);
  if (length < 0) printf("%s: %s\n", name, error_name(errno));
  else {
    text[length] = 0;
    char *tail = strstr(text, "descriptors.dir");
    printf("%s -> %s\n", name, tail ? tail : text);
  }
}

int main(int argc, char **argv) {
  start_in(argc, argv, "descriptors.dir");
  make_file("file", "0123456789");
  mkdir("dir", 0755);
  char text[100];

  SAY("dup");
  long fd = open("file", O_RDWR);
  CALL(dup, fd);
  CALL(dup, 99);
  CALL(dup, -1);
  CALL(dup2, fd, 10);
  CALL(dup2, fd, fd);
  CALL(dup2, 99, 99);
  CALL(dup2, 99, 5);
  CALL(dup2, fd, -1);
  CALL(dup2, fd, 10000000);
  CALL(dup3, fd, fd, 0);
  CALL(dup3, fd, 11, O_CLOEXEC);
  CALL(fcntl, 11, F_GETFD);
  CALL(dup3, fd, 11, 1);
  CALL(dup3, 99, 11, 0);
  CALL(dup3, fd, 10000000, 0);
  CALL(fcntl, fd, F_DUPFD, 20);
  CALL(fcntl, fd, F_DUPFD, -1);
  CALL(fcntl, fd, F_DUPFD, 10000000);
  CALL(fcntl, fd, F_DUPFD_CLOEXEC, 20);
  CALL(fcntl, 21, F_GETFD);
  read(fd, text, 3);
  CALL(lseek, 10, 0, SEEK_CUR);
  CALL(lseek, 20, 1, SEEK_CUR);
  CALL(lseek, fd, 0, SEEK_CUR);
  CALL(close_range, 4, 30, 0);
  CALL(close, 10);
  CALL(close_range, 30, 4, 0);
  CALL(close_range, 4, 30, 0x10);
  CALL(dup2, fd, 12);
  CALL(close_range, 10, -1, 4);
  CALL(fcntl, 12, F_GETFD);
  CALL(close, 12);

  SAY("flags");
  CALL(fcntl, fd, F_GETFD);
  CALL(fcntl, fd, F_SETFD, 1);
  CALL(fcntl, fd, F_GETFD);
  CALL(fcntl, fd, F_SETFD, 2);
  CALL(fcntl, fd, F_GETFD);
  CALL(ioctl, fd, FIOCLEX);
  CALL(fcntl, fd, F_GETFD);
  CALL(ioctl, fd, FIONCLEX);
  CALL(fcntl, fd, F_GETFD);
  CALL(fcntl, fd, F_GETFL);
  CALL(fcntl, fd, F_SETFL, O_APPEND | O_NONBLOCK | O_WRONLY | O_CREAT | O_SYNC);
  CALL(fcntl, fd, F_GETFL);
  CALL(fcntl, fd, F_SETFL, 0);
  CALL(fcntl, fd, F_GETFL);
  int value = 1;
  CALL(ioctl, fd, FIONBIO, &value);
  CALL(fcntl, fd, F_GETFL);
  value = 0;
  CALL(ioctl, fd, FIONBIO, &value);
  CALL(ioctl, fd, FIONBIO, BAD);
  CALL(lseek, fd, 4, SEEK_SET);
  CALL(ioctl, fd, FIONREAD, &value);
  printf("%d\n", value);
  CALL(ioctl, fd, FIONREAD, BAD);
  CALL(ioctl, fd, TCGETS, text);
  CALL(ioctl, fd, TIOCGWINSZ, text);
  CALL(ioctl, fd, 0x12345678, text);
  CALL(ioctl, 99, FIONREAD, &value);
  CALL(fcntl, 99, F_GETFL);
  CALL(fcntl, fd, 999);
  CALL(fcntl, fd, F_GETOWN);
  CALL(fcntl, fd, 1032);

  SAY("record locks");
  long other = open("file", O_RDWR);
  long reader = open("file", O_RDONLY);
  LOCK(fd, F_SETLK, F_WRLCK, 0, 10);
  LOCK(other, F_GETLK, F_WRLCK, 0, 0);
  LOCK(other, F_OFD_GETLK, F_WRLCK, 5, 10);
  LOCK(other, F_OFD_SETLK, F_WRLCK, 5, 10);
  LOCK(other, F_OFD_SETLK, F_WRLCK, 10, 10);
  LOCK(fd, F_GETLK, F_RDLCK, 12, 1);
  LOCK(fd, F_SETLK, F_UNLCK, 3, 2);
  LOCK(other, F_OFD_GETLK, F_WRLCK, 3, 1);
  LOCK(other, F_OFD_GETLK, F_WRLCK, 4, 10);
  LOCK(fd, F_SETLK, F_RDLCK, 0, 2);
  LOCK(other, F_OFD_GETLK, F_RDLCK, 0, 2);
  LOCK(other, F_OFD_GETLK, F_WRLCK, 0, 2);
  LOCK(fd, F_SETLK, F_RDLCK, 2, -2);
  LOCK(fd, F_SETLK, F_RDLCK, 1, -2);
  LOCK(fd, F_SETLK, F_RDLCK, -1, 0);
  LOCK(fd, F_SETLK, 7, 0, 0);
  LOCK(reader, F_SETLK, F_WRLCK, 50, 1);
  LOCK(reader, F_SETLK, F_RDLCK, 50, 1);
  LOCK(99, F_SETLK, F_RDLCK, 50, 1);
  CALL(fcntl, fd, F_SETLK, BAD);
  struct flock end = { .l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -2, .l_len = 0 };
  CALL(fcntl, fd, F_SETLK, &end);
  LOCK(other, F_OFD_GETLK, F_WRLCK, 9, 1);
  SAY("closing any descriptor of the file gives all of them up");
  close(reader);
  LOCK(other, F_OFD_GETLK, F_WRLCK, 0, 9);
  LOCK(fd, F_GETLK, F_WRLCK, 0, 0);
  close(other);
  LOCK(fd, F_GETLK, F_WRLCK, 0, 0);

  SAY("flock");
  other = open("file", O_RDONLY);
  CALL(flock, fd, LOCK_EX);
  CALL(flock, other, LOCK_SH | LOCK_NB);
  CALL(flock, fd, LOCK_SH);
  CALL(flock, other, LOCK_SH | LOCK_NB);
  CALL(flock, other, LOCK_EX | LOCK_NB);
  CALL(flock, fd, LOCK_EX | LOCK_NB);
  CALL(flock, other, LOCK_UN);
  CALL(flock, fd, LOCK_EX | LOCK_NB);
  long same = dup(fd);
  CALL(flock, same, LOCK_EX | LOCK_NB);
  close(fd);
  CALL(flock, other, LOCK_EX | LOCK_NB);
  close(same);
  CALL(flock, other, LOCK_EX | LOCK_NB);
  CALL(flock, other, 0);
  CALL(flock, other, 3);
  CALL(flock, 99, LOCK_EX);
  close(other);

  SAY("memfd");
  long memory = syscall(SYS_memfd_create, "name", 2);
  struct stat st;
  CALL(fstat, memory, &st);
  printf("%o %ld %d\n", st.st_mode, (long)st.st_size, (int)st.st_nlink);
  CALL(write, memory, "sealed", 6);
  CALL(fcntl, memory, F_GET_SEALS);
  CALL(fcntl, memory, F_ADD_SEALS, 2);
  CALL(ftruncate, memory, 3);
  CALL(ftruncate, memory, 10);
  CALL(fcntl, memory, F_ADD_SEALS, 4);
  CALL(ftruncate, memory, 20);
  CALL(pwrite64, memory, "x", 1, 9);
  CALL(pwrite64, memory, "x", 1, 10);
  CALL(fcntl, memory, F_ADD_SEALS, 8);
  CALL(pwrite64, memory, "x", 1, 0);
  CALL(fcntl, memory, F_ADD_SEALS, 1);
  CALL(fcntl, memory, F_ADD_SEALS, 2);
  CALL(fcntl, memory, F_ADD_SEALS, 0x100);
  CALL(fcntl, memory, F_GET_SEALS);
  close(memory);
  memory = syscall(SYS_memfd_create, "plain", 0);
  CALL(fcntl, memory, F_GET_SEALS);
  CALL(fcntl, memory, F_ADD_SEALS, 2);
  close(memory);
  CALL(memfd_create, "x", 0x100);
  CALL(memfd_create, BAD, 0);
  CALL(memfd_create, long_name, 0);
  fd = open("file", O_RDWR);
  CALL(fcntl, fd, F_GET_SEALS);

  SAY("files that are gone stay as long as they are open");
  make_file("gone", "still here");
  long gone = open("gone", O_RDWR);
  CALL(unlink, "gone");
  CALL(fstat, gone, &st);
  printf("%d %ld\n", (int)st.st_nlink, (long)st.st_size);
  CALL(pwrite64, gone, "!", 1, 10);
  CALL(pread64, gone, text, 100, 0);
  CALL(fchmod, gone, 0600);
  CALL(fstat, gone, &st);
  printf("%o\n", st.st_mode);
  CALL(linkat, gone, "", AT_FDCWD, "again", AT_EMPTY_PATH);

  if (access("/proc/self/fd", F_OK) == 0) {
    SAY("/proc/self/fd");
    char name[40];
    sprintf(name, "/proc/self/fd/%ld", fd);
    print_link(name);
    rename("file", "renamed");
    print_link(name);
    struct stat direct, through;
    stat(name, &through);
    fstat(fd, &direct);
    printf("same file: %d\n", direct.st_ino == through.st_ino);
    long again = open(name, O_RDONLY);
    CALL(lseek, again, 0, SEEK_CUR);
    CALL(write, again, "x", 1);
    close(again);
    rename("renamed", "file");
    sprintf(name, "/proc/self/fd/%ld", gone);
    print_link(name);
    again = open(name, O_RDONLY);
    CALL(read, again, text, 100);
    close(again);
    int ends[2];
    pipe(ends);
    sprintf(name, "/proc/self/fd/%d", ends[0]);
    again = open(name, O_WRONLY);
    CALL(write, again, "through /proc", 13);
    CALL(read, ends[0], text, 100);
    long dir = open("dir", O_RDONLY);
    sprintf(name, "/proc/self/fd/%ld/..", dir);
    CALL(chdir, name);
    CALL(access, "file", F_OK);
    CALL(readlink, "/proc/self/fd/999", text, 100);
    print_link("/proc/self/cwd");
  }
  return 0;
}
