// A program without a library, for mutation: it has code, constants, data, bss and thread-local storage, walks its
// stack (arguments, environment, auxiliary vector) and exits with 42.

static const char text[] = "seed\n";
static char data[64] = {1};
static char bss[5000];
static __thread long local = 7;

static long call(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}

__attribute__((used)) static void start(long *stack) {
  long *word = stack + 1 + stack[0] + 1;
  while (*word++ != 0) continue;
  long entries = 0;
  for (; word[0] != 0; word += 2) entries++;
  // TLS needs FS: ARCH_SET_FS
  call(158, 0x1002, (long)(bss + 4096), 0);
  local++;
  call(1, 1, (long)text, sizeof text - 1);
  call(231, data[0] + bss[10] + (entries > 0 ? 41 : 0), 0, 0);
  __builtin_trap();
}

__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call start\n ud2\n");
