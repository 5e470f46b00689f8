/*
 * Alignment checks (EFLAGS.AC): which accesses raise SIGBUS at which of 17 addresses in a row. Vectors of 16 bytes are left
 * out: processors differ. AC lasts over system calls and switches of threads, and a handler may clear it.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { ADDRESSES = 17, ALIGNMENT_CHECK = 0x40000 };

static volatile int signal_number, signal_code, trap_number;
static void *volatile signal_address;

/* Goes on at the address in RBX, without checks. */
static void handler(int number, siginfo_t *info, void *context) {
  volatile greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  signal_number = number;
  signal_code = info->si_code;
  signal_address = info->si_addr;
  trap_number = registers[REG_TRAPNO];
  registers[REG_EFL] &= ~ALIGNMENT_CHECK;
  registers[REG_RIP] = registers[REG_RBX];
}

static unsigned char *memory;
static char found[ADDRESSES + 1];

/* What is tested has its address in RSI, RDI and R15, 1 in RCX, 0 in RAX, and the stack in R14. */
#define TRY(text, instructions)                                                                                      \
  do {                                                                                                               \
    int code = 0, trap = 0;                                                                                          \
    for (int offset = 0; offset < ADDRESSES; offset++) {                                                             \
      signal_number = 0;                                                                                             \
      __asm__ volatile("mov %%rsp, %%r14; sub $1024, %%rsp; and $-64, %%rsp; lea 1f(%%rip), %%rbx;"                  \
                       "mov %0, %%rsi; mov %0, %%rdi; mov %0, %%r15; mov $1, %%ecx; xor %%eax, %%eax; cld;"          \
                       "mov %%rsp, %%r13; pushfq; orl $0x40000, (%%rsp); popfq;" instructions "; mov %%r13, %%rsp;"  \
                       "pushfq; andl $~0x40000, (%%rsp); popfq; 1: mov %%r14, %%rsp"                                 \
                       :                                                                                             \
                       : "r"(memory + offset)                                                                        \
                       : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r11", "r12", "r13", "r14", "r15", "memory",      \
                         "cc", "xmm0", "st");                                                                        \
      found[offset] = signal_number == 0 ? '.' : signal_number == SIGBUS ? 'B' : signal_number == SIGSEGV ? 'S' : '?'; \
      if (signal_number == SIGBUS) code = signal_code, trap = trap_number;                                           \
    }                                                                                                                \
    printf("%-12s %s code %d trap %d%s\n", text, found, code, trap, signal_address == 0 ? "" : " address");          \
  } while (0)

int main(void) {
  memory = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(memory, 1, 8192);
  stack_t stack = {.ss_size = 65536};
  stack.ss_sp = mmap(0, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  sigaltstack(&stack, 0);
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaction(SIGBUS, &action, 0);
  sigaction(SIGSEGV, &action, 0);

  TRY("movb", "movb (%%r15), %%al");
  TRY("movw", "movw (%%r15), %%ax");
  TRY("movl", "movl (%%r15), %%eax");
  TRY("movq", "movq (%%r15), %%rax");
  TRY("movq to", "movq %%rax, (%%r15)");
  TRY("addl", "addl $1, (%%r15)");
  TRY("lock addw", "lock addw $1, (%%r15)");
  TRY("movaps", "movaps (%%r15), %%xmm0");
  TRY("movss", "movss (%%r15), %%xmm0");
  TRY("movsd", "movsd (%%r15), %%xmm0");
  TRY("movhps", "movhps (%%r15), %%xmm0");
  TRY("flds", "flds (%%r15); fstp %%st(0)");
  TRY("fldl", "fldl (%%r15); fstp %%st(0)");
  TRY("fldt", "fldt (%%r15); fstp %%st(0)");
  TRY("fildll", "fildll (%%r15); fstp %%st(0)");
  TRY("fnstcw", "fnstcw (%%r15)");
  TRY("fnstenv", "fnstenv (%%r15)");
  TRY("fnsave", "fnsave (%%r15); fninit");
  TRY("stmxcsr", "stmxcsr (%%r15)");
  TRY("lodsl", "lodsl");
  TRY("rep stosw", "mov $8, %%ecx; rep stosw");
  TRY("rep movsq", "mov $4, %%ecx; lea 64(%%r15), %%rdi; rep movsq");
  TRY("movsl to", "and $-16, %%rsi; movsl");
  TRY("pushq, popq", "lea 512(%%r15), %%rsp; pushq %%rax; popq %%rax");
  TRY("btl", "btl %%eax, (%%r15)");
  TRY("btsq", "btsq %%rax, (%%r15)");
  TRY("cmpxchg8b", "cmpxchg8b (%%r15)");
  TRY("system call", "mov $39, %%eax; syscall; movq (%%r15), %%rax");
  TRY("prefetch", "prefetcht0 (%%r15)");
  TRY("lea", "lea 1(%%r15), %%rax");
  return 0;
}
