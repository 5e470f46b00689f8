// stat, access, chmod, chown, times, statfs, statx, extended attributes.
#include "check.h"
#include <sys/statfs.h>

static void print_stat(const char *name) {
  struct stat st;
  if (syscall(SYS_lstat, name, &st) != 0) printf("%s: %s\n", name, error_name(errno));
  else printf("%s: mode %o links %d owner %d:%d size %ld\n", name, st.st_mode, (int)st.st_nlink, (int)st.st_uid, (int)st.st_gid,
              S_ISDIR(st.st_mode) ? 0L : (long)st.st_size);
}

static void print_times(const char *name) {
  struct stat st;
  syscall(SYS_lstat, name, &st);
  printf("%s: atime %ld.%09ld mtime %ld.%09ld\n", name, (long)st.st_atim.tv_sec, (long)st.st_atim.tv_nsec, (long)st.st_mtim.tv_sec,
         (long)st.st_mtim.tv_nsec);
}

#define TIMES(a, b, c, d) ((struct timespec[]){ { a, b }, { c, d } })
#define NOW ((1L << 30) - 1)
#define OMIT ((1L << 30) - 2)

int main(int argc, char **argv) {
  start_in(argc, argv, "attributes.dir");
  make_file("file", "content");
  mkdir("dir", 0755);
  symlink("file", "link");
  symlink("nowhere", "dangling");
  mknod("fifo", S_IFIFO | 0600, 0);
  struct stat st;
  char buffer[256];
  long fd = open("file", O_RDWR);

  SAY("stat");
  CALL(stat, "file", &st);
  CALL(stat, "none", &st);
  CALL(stat, "", &st);
  CALL(stat, "file/", &st);
  CALL(stat, "file/.", &st);
  CALL(stat, "file", BAD);
  CALL(stat, BAD, &st);
  CALL(stat, "dangling", &st);
  CALL(lstat, "dangling", &st);
  CALL(fstat, 99, &st);
  CALL(fstat, fd, BAD);
  CALL(newfstatat, AT_FDCWD, "link", &st, AT_SYMLINK_NOFOLLOW);
  printf("%o\n", st.st_mode);
  CALL(newfstatat, AT_FDCWD, "link", &st, 0);
  printf("%o\n", st.st_mode);
  CALL(newfstatat, fd, "", &st, AT_EMPTY_PATH);
  CALL(newfstatat, fd, "", &st, 0);
  CALL(newfstatat, AT_FDCWD, "", &st, AT_EMPTY_PATH);
  printf("%o\n", st.st_mode & 0170000);
  CALL(newfstatat, fd, "x", &st, 0);
  CALL(newfstatat, 99, "x", &st, 0);
  CALL(newfstatat, AT_FDCWD, "file", &st, 1);
  CALL(statx, AT_FDCWD, "file", 0, 0x7ff, buffer);
  CALL(statx, AT_FDCWD, "file", 0x6000, 0x7ff, buffer);
  CALL(statx, AT_FDCWD, "file", 1, 0x7ff, buffer);
  CALL(statx, AT_FDCWD, "file", 0, 0x80000000, buffer);
  CALL(statx, fd, "", AT_EMPTY_PATH, 0, buffer);
  CALL(statx, AT_FDCWD, "none", 0, 0x7ff, buffer);
  CALL(statx, AT_FDCWD, "file", 0, 0x7ff, BAD);
  print_stat("file");
  print_stat("dir");
  print_stat("link");
  print_stat("fifo");

  SAY("access");
  for (int mode = 0; mode < 9; mode++) CALL(access, "file", mode);
  CALL(access, "dir", 7);
  CALL(access, "none", 0);
  CALL(access, "", 0);
  CALL(access, "file/x", 0);
  CALL(access, "dangling", 0);
  CALL(chmod, "file", 0100);
  CALL(access, "file", X_OK);
  CALL(chmod, "file", 0);
  CALL(access, "file", R_OK | W_OK);
  CALL(access, "file", X_OK);
  CALL(faccessat, AT_FDCWD, "dangling", 0);
  CALL(faccessat2, AT_FDCWD, "dangling", F_OK, AT_SYMLINK_NOFOLLOW);
  CALL(faccessat2, AT_FDCWD, "dangling", X_OK, AT_SYMLINK_NOFOLLOW);
  CALL(faccessat2, AT_FDCWD, "file", R_OK, AT_EACCESS);
  CALL(faccessat2, fd, "", R_OK, AT_EMPTY_PATH);
  CALL(faccessat2, fd, "", R_OK, 0);
  CALL(faccessat2, AT_FDCWD, "file", R_OK, 1);
  CALL(faccessat2, 99, "file", R_OK, 0);

  SAY("chmod");
  CALL(chmod, "file", 0644);
  CALL(chmod, "link", 0600);
  print_stat("file");
  CALL(chmod, "dir", 07777);
  print_stat("dir");
  CALL(chmod, "dangling", 0600);
  CALL(chmod, "none", 0600);
  CALL(chmod, "", 0600);
  CALL(fchmod, fd, 04755);
  print_stat("file");
  CALL(fchmod, 99, 0600);
  CALL(fchmodat, AT_FDCWD, "link", 0640, AT_SYMLINK_NOFOLLOW);
  CALL(chmod, "file", 0170644);
  print_stat("file");

  SAY("chown");
  CALL(chmod, "file", 06755);
  CALL(chown, "file", 1000, 1001);
  print_stat("file");
  CALL(chown, "file", -1, 7);
  print_stat("file");
  CALL(chown, "file", -1, -1);
  CALL(chown, "link", 5, 6);
  CALL(lchown, "link", 8, 9);
  print_stat("file");
  print_stat("link");
  CALL(fchown, fd, 0, 0);
  CALL(chmod, "dir", 06755);
  CALL(chown, "dir", 3, 4);
  print_stat("dir");
  CALL(chown, "dir", 0, 0);
  CALL(lchown, "link", 0, 0);
  CALL(fchownat, AT_FDCWD, "link", 1, 1, AT_SYMLINK_NOFOLLOW);
  CALL(fchownat, fd, "", 2, 2, AT_EMPTY_PATH);
  CALL(fchownat, fd, "", 2, 2, 0);
  CALL(fchownat, AT_FDCWD, "file", 2, 2, 1);
  CALL(chown, "none", 0, 0);
  CALL(fchown, 99, 0, 0);
  CALL(chown, "file", 0, 0);
  CALL(lchown, "link", 0, 0);

  SAY("directories hand their group on");
  CALL(chmod, "dir", 02755);
  CALL(chown, "dir", 0, 44);
  mkdir("dir/sub", 0755);
  make_file("dir/inner", "");
  print_stat("dir/sub");
  print_stat("dir/inner");
  CALL(chown, "dir", 0, 0);
  CALL(chown, "dir/sub", 0, 0);
  CALL(chown, "dir/inner", 0, 0);

  SAY("times");
  CALL(utimensat, AT_FDCWD, "file", TIMES(1000, 500, 2000, 0), 0);
  print_times("file");
  CALL(utimensat, AT_FDCWD, "file", TIMES(0, OMIT, 3000, 0), 0);
  print_times("file");
  CALL(utimensat, AT_FDCWD, "file", TIMES(4000, 0, 0, OMIT), 0);
  print_times("file");
  CALL(utimensat, AT_FDCWD, "none", TIMES(0, OMIT, 0, OMIT), 0);
  CALL(utimensat, AT_FDCWD, "none", TIMES(0, 0, 0, 0), 0);
  CALL(utimensat, AT_FDCWD, "file", TIMES(0, -1, 0, 0), 0);
  CALL(utimensat, AT_FDCWD, "file", TIMES(0, 1000000000, 0, 0), 0);
  CALL(utimensat, AT_FDCWD, "link", TIMES(70, 0, 80, 0), AT_SYMLINK_NOFOLLOW);
  print_times("link");
  CALL(utimensat, AT_FDCWD, "file", TIMES(1, 0, 1, 0), 1);
  CALL(utimensat, fd, NULL, TIMES(11, 0, 12, 0), 0);
  print_times("file");
  CALL(utimensat, fd, NULL, TIMES(11, 0, 12, 0), AT_SYMLINK_NOFOLLOW);
  CALL(utimensat, 99, NULL, TIMES(11, 0, 12, 0), 0);
  CALL(utimensat, AT_FDCWD, NULL, TIMES(11, 0, 12, 0), 0);
  CALL(utimensat, fd, "", TIMES(13, 0, 14, 0), AT_EMPTY_PATH);
  CALL(utimensat, fd, "", TIMES(13, 0, 14, 0), 0);
  CALL(utimensat, AT_FDCWD, "file", BAD, 0);
  CALL(utimensat, AT_FDCWD, "file", TIMES(-5, 0, -6, 0), 0);
  print_times("file");
  CALL(utime, "file", ((long[]){ 100, 200 }));
  print_times("file");
  CALL(utimes, "file", ((long[]){ 100, 5, 200, 6 }));
  print_times("file");
  CALL(utimes, "file", ((long[]){ 100, -1, 200, 6 }));
  CALL(futimesat, AT_FDCWD, "file", ((long[]){ 1, 0, 2, 1000000 }));
  CALL(utimensat, AT_FDCWD, "file", TIMES(0, NOW, 0, NOW), 0);
  syscall(SYS_stat, "file", &st);
  printf("now: %d\n", st.st_mtim.tv_sec > 1000000000 && st.st_mtim.tv_sec == st.st_atim.tv_sec);

  SAY("what changes times");
  time_t old = 5000;
#define RESET(name) utimensat(AT_FDCWD, name, TIMES(old, 0, old, 0), 0)
#define CHANGED(name) (syscall(SYS_lstat, name, &st), printf("%s: mtime %d\n", name, st.st_mtim.tv_sec != old))
  RESET("file");
  pwrite(fd, "x", 1, 0);
  CHANGED("file");
  RESET("file");
  chmod("file", 0600);
  CHANGED("file");
  RESET("file");
  ftruncate(fd, 1);
  CHANGED("file");
  RESET("dir");
  make_file("dir/new", "");
  CHANGED("dir");
  RESET("dir");
  rename("dir/new", "dir/newer");
  CHANGED("dir");
  RESET("dir");
  make_file("dir/newer", "changed");
  CHANGED("dir");
  RESET("dir");
  link("dir/newer", "dir/linked");
  CHANGED("dir");
  RESET("dir");
  unlink("dir/linked");
  unlink("dir/newer");
  CHANGED("dir");
  RESET("dir");
  mkdir("dir/sub2", 0755);
  CHANGED("dir");
  rmdir("dir/sub2");
  RESET("file");
  close(open("file", O_WRONLY | O_TRUNC));
  CHANGED("file");
  // What is left behind is compared with the host: no times of today.
  RESET("file");
  RESET("dir/inner");
  RESET("dir/sub");
  RESET("dir");
  utimensat(AT_FDCWD, "fifo", TIMES(old, 0, old, 0), 0);

  SAY("statfs");
  struct statfs fs;
  CALL(statfs, ".", &fs);
  printf("%ld %d\n", (long)fs.f_namelen, fs.f_bsize > 0);
  CALL(statfs, "none", &fs);
  CALL(statfs, ".", BAD);
  CALL(fstatfs, fd, &fs);
  CALL(fstatfs, 99, &fs);

  SAY("umask");
  CALL(umask, 0777);
  CALL(umask, 017777);
  CALL(umask, 022);
  unlink("fifo");
  return 0;
}
