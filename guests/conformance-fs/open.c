// open(2) and its kin: flags, directory descriptors, O_PATH, O_TMPFILE, openat2.
#include "check.h"

struct how { uint64_t flags, mode, resolve; };
enum { NO_XDEV = 1, NO_MAGICLINKS = 2, NO_SYMLINKS = 4, BENEATH = 8, IN_ROOT = 16, CACHED = 32 };

static long openat2(int dir, const char *name, uint64_t flags, uint64_t mode, uint64_t resolve) {
  struct how how = { flags, mode, resolve };
  long fd = syscall(437, dir, name, &how, sizeof how);
  if (fd >= 0) close(fd);
  return fd;
}
#define OPENAT2(...) show_ok("openat2(" #__VA_ARGS__ ")", openat2(__VA_ARGS__))

int main(int argc, char **argv) {
  start_in(argc, argv, "open.dir");
  make_file("file", "content");
  mkdir("dir", 0755);
  mkdir("dir/sub", 0755);
  make_file("dir/inner", "inner");
  symlink("file", "link");
  symlink("dir", "dirlink");
  symlink("nowhere", "dangling");
  symlink("loop", "loop");
  symlink("/", "rootlink");
  symlink("dir/../file", "up");
  mknod("fifo", S_IFIFO | 0644, 0);

  SAY("access modes");
  for (int mode = 0; mode < 4; mode++) {
    long fd = CALL_OK(open, "file", mode);
    char byte;
    CALL(read, fd, &byte, 1);
    CALL(write, fd, "C", 1);
    CALL(fcntl, fd, F_GETFL);
    CALL(ftruncate, fd, 7);
    CALL(close, fd);
    CALL(close, fd);
  }
  CALL_OK(open, "dir", 3);
  CALL_OK(open, "file", O_RDONLY | 0x40000000);
  CALL_OK(open, "file", O_RDONLY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_NOATIME | O_LARGEFILE);
  CALL(fcntl, 4, F_GETFL);
  CALL(close, 3);
  CALL(close, 4);
  CALL(close, 5);
  CALL(close, -1);
  CALL(close, 1000000);

  SAY("names");
  CALL_OK(open, "", O_RDONLY);
  CALL_OK(open, BAD, O_RDONLY);
  CALL_OK(open, KERNEL, O_RDONLY);
  CALL_OK(open, WILD, O_RDONLY);
  CALL_OK(open, long_path, O_RDONLY);
  long_path[4095] = 0;
  CALL_OK(open, long_path, O_RDONLY);
  long_path[4094] = 0;
  CALL_OK(open, long_path, O_RDONLY);
  close(3);
  CALL_OK(open, "loop", O_RDONLY);
  CALL_OK(open, "loop", O_RDONLY | O_NOFOLLOW);
  CALL_OK(open, "loop", O_CREAT | O_RDWR, 0600);
  CALL_OK(open, "dangling", O_CREAT | O_EXCL | O_RDWR, 0600);
  CALL_OK(open, "dangling", O_CREAT | O_NOFOLLOW | O_RDWR, 0600);
  CALL_OK(open, "fifo/x", O_RDONLY);
  CALL_OK(open, "fifo", O_WRONLY | O_NONBLOCK);
  CALL_OK(open, "fifo", O_RDONLY | O_DIRECTORY);
  CALL_OK(open, "dir", O_CREAT, 0600);
  CALL_OK(open, "dir", O_CREAT | O_EXCL, 0600);
  CALL_OK(open, "dir", O_TRUNC);
  CALL_OK(open, "dirlink/", O_CREAT, 0600);
  CALL_OK(open, "new/", O_CREAT, 0600);
  CALL_OK(open, "dir/..", O_CREAT, 0600);
  CALL_OK(open, "/", O_CREAT, 0600);

  SAY("forty symbolic links, and one more");
  symlink("file", "l0");
  for (int i = 1; i <= 40; i++) {
    char from[8], to[8];
    sprintf(to, "l%d", i - 1);
    sprintf(from, "l%d", i);
    symlink(to, from);
  }
  CALL_OK(open, "l39", O_RDONLY);
  CALL_OK(open, "l40", O_RDONLY);
  close(3);
  for (int i = 0; i <= 40; i++) {
    char name[8];
    sprintf(name, "l%d", i);
    unlink(name);
  }

  SAY("directory descriptors");
  long dir = open("dir", O_RDONLY | O_DIRECTORY);
  long file = open("file", O_RDONLY);
  CALL_OK(openat, dir, "inner", O_RDONLY);
  CALL_OK(openat, dir, "../file", O_RDONLY);
  CALL_OK(openat, dir, "", O_RDONLY);
  CALL_OK(openat, file, "inner", O_RDONLY);
  CALL_OK(openat, file, ".", O_RDONLY);
  CALL_OK(openat, file, "", O_RDONLY);
  CALL_OK(openat, 99, "inner", O_RDONLY);
  CALL_OK(openat, 99, "/", O_RDONLY);
  CALL_OK(openat, -1, "inner", O_RDONLY);
  CALL_OK(openat, 0xffffff9cu, "file", O_RDONLY);
  CALL_OK(openat, 99, BAD, O_RDONLY);
  for (int fd = 3; fd < 16; fd++) close(fd);

  SAY("O_PATH");
  long place = open("file", O_PATH);
  char byte;
  CALL(read, place, &byte, 1);
  CALL(write, place, &byte, 1);
  CALL(lseek, place, 0, SEEK_SET);
  CALL(fcntl, place, F_GETFL);
  CALL(fcntl, place, F_SETFL, O_APPEND);
  CALL(fcntl, place, F_GETFD);
  CALL(fchmod, place, 0600);
  CALL(fchown, place, -1, -1);
  CALL(ftruncate, place, 0);
  CALL(fsync, place);
  CALL(ioctl, place, FIONREAD, &byte);
  struct stat st;
  CALL(fstat, place, &st);
  printf("%o\n", st.st_mode);
  close(place);
  place = open("link", O_PATH | O_NOFOLLOW);
  CALL(fstat, place, &st);
  printf("%o\n", st.st_mode);
  char text[100];
  CALL(readlinkat, place, "", text, sizeof text);
  close(place);
  place = open("dir", O_PATH | O_WRONLY | O_CREAT | O_TRUNC, 0);
  CALL(fcntl, place, F_GETFL);
  CALL_OK(openat, place, "inner", O_RDONLY);
  CALL(getdents64, place, text, sizeof text);
  CALL(fchdir, place);
  CALL(chdir, "..");
  for (int fd = 3; fd < 8; fd++) close(fd);
  CALL_OK(open, "fifo", O_PATH);
  CALL_OK(open, "file", O_PATH | O_DIRECTORY);
  CALL_OK(open, "nothing", O_PATH | O_CREAT, 0600);
  close(3);

  SAY("creation modes");
  umask(027);
  for (int mode = 0; mode <= 07777; mode += 0777) {
    close(open("mode", O_CREAT | O_WRONLY, mode));
    stat("mode", &st);
    printf("%o -> %o\n", mode, st.st_mode);
    unlink("mode");
  }
  umask(022);
  long created = open("created", O_CREAT | O_RDWR, 0);
  CALL(write, created, "rw", 2);
  CALL(pread64, created, text, 2, 0);
  close(created);
  CALL(creat, "created", 0777);
  CALL(read, 3, text, 1);
  CALL(fstat, 3, &st);
  printf("%o %ld\n", st.st_mode, (long)st.st_size);
  close(3);

  SAY("openat2");
  OPENAT2(AT_FDCWD, "file", O_RDONLY, 0, 0);
  OPENAT2(AT_FDCWD, "file", O_RDONLY, 0600, 0);
  OPENAT2(AT_FDCWD, "made", O_CREAT | O_RDWR, 0600, 0);
  OPENAT2(AT_FDCWD, "file", O_CREAT | O_RDWR, 010000, 0);
  OPENAT2(AT_FDCWD, "file", 0x40000000, 0, 0);
  OPENAT2(AT_FDCWD, "file", 0x100000000, 0, 0);
  OPENAT2(AT_FDCWD, "file", O_RDONLY, 0, 0x40);
  OPENAT2(AT_FDCWD, "file", O_RDONLY, 0, BENEATH | IN_ROOT);
  OPENAT2(AT_FDCWD, "file", O_PATH | O_RDWR, 0, 0);
  OPENAT2(AT_FDCWD, "link", O_RDONLY, 0, NO_SYMLINKS);
  OPENAT2(AT_FDCWD, "link", O_RDONLY | O_NOFOLLOW | O_PATH, 0, NO_SYMLINKS);
  OPENAT2(AT_FDCWD, "dirlink/inner", O_RDONLY, 0, NO_SYMLINKS);
  OPENAT2(AT_FDCWD, "dir/../file", O_RDONLY, 0, BENEATH);
  OPENAT2(AT_FDCWD, "../file", O_RDONLY, 0, BENEATH);
  OPENAT2(AT_FDCWD, "dir/../../open.dir/file", O_RDONLY, 0, BENEATH);
  OPENAT2(AT_FDCWD, "/", O_RDONLY, 0, BENEATH);
  OPENAT2(AT_FDCWD, "rootlink", O_RDONLY, 0, BENEATH);
  OPENAT2(AT_FDCWD, "up", O_RDONLY, 0, BENEATH);
  OPENAT2(AT_FDCWD, "/file", O_RDONLY, 0, IN_ROOT);
  OPENAT2(AT_FDCWD, "../../../file", O_RDONLY, 0, IN_ROOT);
  OPENAT2(AT_FDCWD, "rootlink/file", O_RDONLY, 0, IN_ROOT);
  OPENAT2(AT_FDCWD, "file", O_RDONLY, 0, NO_XDEV);
  OPENAT2(AT_FDCWD, "file", O_CREAT, 0, CACHED);
  struct how how[2] = { { O_RDONLY, 0, 0 }, { 0, 0, 0 } };
  CALL_OK(openat2, AT_FDCWD, "file", how, 8);
  CALL_OK(openat2, AT_FDCWD, "file", how, 32);
  how[1].flags = 1;
  CALL_OK(openat2, AT_FDCWD, "file", how, 32);
  CALL_OK(openat2, AT_FDCWD, "file", how, 5000);
  CALL_OK(openat2, AT_FDCWD, "file", BAD, 24);
  close(3);

  SAY("descriptors are the lowest free ones");
  for (int i = 0; i < 4; i++) CALL(open, "file", O_RDONLY);
  close(4);
  close(3);
  CALL(open, "file", O_RDONLY);
  CALL(open, "file", O_RDONLY);
  CALL(open, "file", O_RDONLY);
  CALL(open, "nothing", O_RDONLY);
  CALL(open, "file", O_RDONLY);
  for (int fd = 3; fd < 10; fd++) close(fd);
  unlink("fifo");
  return 0;
}
