// getdents64: records, positions, small buffers, names of any bytes.
#include "check.h"

struct entry {
  uint64_t ino;
  int64_t next;
  unsigned short length;
  unsigned char type;
  char name[];
};

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

// All names with types, sorted, read with a buffer of `size` bytes.
static void list(const char *path, unsigned size) {
  char *names[3000];
  int count = 0, calls = 0;
  long fd = open(path, O_RDONLY | O_DIRECTORY);
  char *buffer = malloc(size);
  for (;;) {
    long length = syscall(SYS_getdents64, fd, buffer, size);
    if (length <= 0) {
      if (length < 0) printf("%s\n", error_name(errno));
      break;
    }
    calls++;
    for (long at = 0; at < length;) {
      struct entry *entry = (struct entry *)(buffer + at);
      if (entry->length % 8 != 0 || entry->length < 19 + strlen(entry->name) + 1) printf("bad length %d\n", entry->length);
      struct stat st;
      if (fstatat(fd, entry->name, &st, AT_SYMLINK_NOFOLLOW) != 0) printf("no %s\n", entry->name);
      else if (strcmp(entry->name, "..") != 0 && st.st_ino != entry->ino) printf("%s: other inode\n", entry->name);
      char text[400];
      snprintf(text, sizeof text, "%s:%d", entry->name, entry->type);
      names[count++] = strdup(text);
      at += entry->length;
    }
  }
  close(fd);
  qsort(names, count, sizeof *names, compare);
  printf("%s: %d entries, several calls %d:", path, count, calls > 1);
  if (count < 30) {
    for (int i = 0; i < count; i++) {
      printf(" ");
      for (char *c = names[i]; *c; c++) printf(*c >= ' ' && *c < 127 ? "%c" : "\\x%02x", (unsigned char)*c);
    }
  }
  printf("\n");
  for (int i = 0; i < count; i++) free(names[i]);
  free(buffer);
}

int main(int argc, char **argv) {
  start_in(argc, argv, "listings.dir");
  mkdir("dir", 0755);
  list("dir", 4096);
  make_file("dir/file", "");
  mkdir("dir/sub", 0755);
  symlink("x", "dir/link");
  make_file("dir/sp ace", "");
  make_file("dir/new\nline", "");
  make_file("dir/\xc3\xa4\xe6\x97\xa5\xf0\x9f\x99\x82", "");
  make_file("dir/\xff\xfe invalid \xc3", "");
  make_file("dir/\xed\xa0\x80 surrogate", "");
  make_file("dir/\xc0\xaf overlong", "");
  list("dir", 4096);
  list("dir", 64);
  struct stat st;
  CALL(stat, "dir/\xff\xfe invalid \xc3", &st);
  CALL(stat, "dir/\xff\xfe invalid", &st);
  CALL(rename, "dir/\xff\xfe invalid \xc3", "dir/\x80");
  CALL(symlink, "\xfe\xff/target", "dir/bytes");
  char text[100];
  CALL(readlink, "dir/bytes", text, sizeof text);
  printf("%d\n", memcmp(text, "\xfe\xff/target", 9) == 0);
  CALL(chdir, "dir");
  mkdir("\x99", 0755);
  CALL(chdir, "\x99");
  CALL(getcwd, text, sizeof text);
  CALL(chdir, "../..");
  list("dir", 4096);

  SAY("errors");
  long dir = open("dir", O_RDONLY);
  long file = open("dir/file", O_RDONLY);
  CALL(getdents64, dir, text, 10);
  CALL(getdents64, dir, text, 0);
  CALL(getdents64, file, text, sizeof text);
  CALL(getdents64, 99, text, sizeof text);
  CALL(getdents64, dir, BAD, 4096);
  CALL(getdents, dir, text, 10);
  CALL(getdents, file, text, sizeof text);

  SAY("a large directory, emptied while it is read");
  mkdir("many", 0755);
  for (int i = 0; i < 2000; i++) {
    char name[30];
    sprintf(name, "many/%d", i);
    close(open(name, O_CREAT | O_WRONLY, 0644));
  }
  list("many", 2048);
  long many = open("many", O_RDONLY);
  int removed = 0;
  char buffer[1024];
  for (long length; (length = syscall(SYS_getdents64, many, buffer, sizeof buffer)) > 0;) {
    for (long at = 0; at < length; at += ((struct entry *)(buffer + at))->length) {
      struct entry *entry = (struct entry *)(buffer + at);
      if (entry->name[0] != '.' && unlinkat(many, entry->name, 0) == 0) removed++;
    }
  }
  printf("removed %d\n", removed);
  CALL(rmdir, "many");

  SAY("rewinding");
  CALL(lseek, dir, 0, SEEK_SET);
  long first = syscall(SYS_getdents64, dir, buffer, sizeof buffer);
  CALL(lseek, dir, 0, SEEK_SET);
  make_file("dir/later", "");
  long second = syscall(SYS_getdents64, dir, buffer, sizeof buffer);
  printf("more: %d\n", second > first);

  SAY("everything can be removed again");
  CALL(lseek, dir, 0, SEEK_SET);
  for (long length; (length = syscall(SYS_getdents64, dir, buffer, sizeof buffer)) > 0;) {
    for (long at = 0; at < length; at += ((struct entry *)(buffer + at))->length) {
      struct entry *entry = (struct entry *)(buffer + at);
      if (strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0) {
        unlinkat(dir, entry->name, entry->type == DT_DIR ? AT_REMOVEDIR : 0);
      }
    }
  }
  CALL(rmdir, "dir");
  return 0;
}
