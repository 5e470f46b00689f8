/*
 * The silicon oracle: runs cases on the host CPU and tells what they left. Protocol: silicon.ts; layout: case.ts.
 *
 *   gcc -O2 -static -nostdlib -ffreestanding -fno-stack-protector -mcmodel=large -o silicon silicon.c
 *
 * Everything happens inside one signal handler. Whatever ends a case (INT3 behind its code, a fault, the watchdog) is a
 * signal; the kernel has then saved all registers in the frame. The handler copies them out, writes the registers of
 * the next case into the frame and returns: rt_sigreturn loads them all at once but RSP and RIP, which `resume` loads,
 * and the code runs.
 *
 * There is no C library: FS and GS belong to the cases, and nothing is mapped that a case might stumble over.
 * A system call out of the code under test is trapped by a seccomp filter.
 */

#include <asm/prctl.h>
#include <asm/sigcontext.h>
#include <asm/signal.h>
#include <asm/ucontext.h>
#include <asm/unistd.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/seccomp.h>
#include <linux/time.h>
#include <stddef.h>
#include <stdint.h>

/* ---- case.ts ---- */

enum { FX_SIZE = 416, YMM_SIZE = 256, MAXIMUM_REGIONS = 8, MAXIMUM_SNAPSHOT = 1 << 16 };

struct registers {
  uint32_t size;  /* of the whole record */
  uint32_t count; /* of the patches or changes that follow */
  uint64_t rip, rflags, gpr[16];
  uint32_t vector, error; /* results only */
  uint8_t fx[FX_SIZE];
  uint64_t address; /* results only: CR2 after a page fault */
  uint64_t fs_base, gs_base; /* results only */
  uint8_t ymm[YMM_SIZE]; /* the upper halves */
};
_Static_assert(sizeof(struct registers) == 856, "case.ts");

struct patch {
  uint32_t address, length;
  uint8_t bytes[]; /* padded to a multiple of 8 */
};

struct change {
  uint64_t address, value;
};

struct region {
  uint64_t address, size, writable, executable;
};

struct setup {
  uint32_t size, regions;
  uint64_t fs_base, gs_base;
  struct region region[];
};

struct batch {
  uint32_t size, count; /* size without this header */
};

/* `vector` of what is no exception. */
enum { TIMED_OUT = 256, SYSTEM_CALL = 257, OTHER_SIGNAL = 512 };

/* ---- system calls ---- */

static long system_call(long number, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "+a"(number)
                   : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return number;
}

static _Noreturn void leave(int status) {
  for (;;) system_call(__NR_exit_group, status, 0, 0, 0, 0, 0);
}

static void check(long result) {
  if (result < 0 && result > -4096) leave((int)-result);
}

void *memcpy(void *to, const void *from, size_t size) {
  void *start = to;
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
  return start;
}

void *memset(void *to, int byte, size_t size) {
  void *start = to;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(byte) : "memory");
  return start;
}

/* Standard input has ended: the other side is done. */
static void read_all(void *buffer, size_t size) {
  uint8_t *at = buffer;
  while (size > 0) {
    long got = system_call(__NR_read, 0, (long)at, (long)size, 0, 0, 0);
    check(got);
    if (got == 0) leave(0);
    at += got;
    size -= (size_t)got;
  }
}

static void write_all(const void *buffer, size_t size) {
  const uint8_t *at = buffer;
  while (size > 0) {
    long put = system_call(__NR_write, 1, (long)at, (long)size, 0, 0, 0);
    check(put);
    at += put;
    size -= (size_t)put;
  }
}

/* ---- memory of a case ---- */

static struct region regions[MAXIMUM_REGIONS];
static uint32_t region_count;

/* The contents of all regions one after another: before any case, and before the current one. */
static uint8_t baseline[MAXIMUM_SNAPSHOT] __attribute__((aligned(64)));
static uint8_t expected[MAXIMUM_SNAPSHOT] __attribute__((aligned(64)));

/* Where writable memory is in a snapshot. Patches of read-only regions are against the protocol. */
static uint64_t snapshot_offset(uint64_t address, uint64_t length) {
  uint64_t start = 0;
  for (uint32_t i = 0; i < region_count; i++) {
    uint64_t offset = address - regions[i].address;
    if (regions[i].writable && offset < regions[i].size && length <= regions[i].size - offset)
      return start + offset;
    start += regions[i].size;
  }
  leave(101);
}

/* Reports the words that differ from `expected` and puts the baseline back. */
static struct change *take_changes(struct change *out) {
  typedef uint64_t block __attribute__((vector_size(64), aligned(64)));
  long start = 0;
  for (uint32_t i = 0; i < region_count; start += (long)regions[i].size, i++) {
    if (!regions[i].writable) continue;
    for (uint64_t at = 0; at < regions[i].size; at += 64) {
      uint64_t *now = (uint64_t *)(regions[i].address + at);
      uint64_t *before = (uint64_t *)(expected + start + at);
      block difference = *(block *)now ^ *(block *)before;
      uint64_t any = 0;
      for (int word = 0; word < 8; word++) any |= difference[word];
      if (any == 0) continue;
      for (int word = 0; word < 8; word++) {
        if (now[word] != before[word]) *out++ = (struct change){(uint64_t)(now + word), now[word]};
      }
      memcpy(now, baseline + start + at, 64);
    }
  }
  return out;
}

/* ---- the cases of a batch ---- */

static uint8_t input[8 << 20] __attribute__((aligned(64)));
static uint8_t output[32 << 20] __attribute__((aligned(64)));
static uint8_t *next_case = input, *current_case;
static uint8_t *next_result = output + sizeof(struct batch);
static uint32_t cases_left;
static uint64_t cases_begun;

/* Frame fields in the order of the hardware encoding: RAX RCX RDX RBX RSP RBP RSI RDI R8… */
#define EACH_REGISTER(DO)                                                                                   \
  DO(0, ax) DO(1, cx) DO(2, dx) DO(3, bx) DO(4, sp) DO(5, bp) DO(6, si) DO(7, di)                           \
  DO(8, r8) DO(9, r9) DO(10, r10) DO(11, r11) DO(12, r12) DO(13, r13) DO(14, r14) DO(15, r15)

/* From the kernel's struct sigcontext, whose user-space definition has other names in 64-bit mode. */
struct context {
  uint64_t r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, flags;
  uint16_t cs, gs, fs, ss;
  uint64_t err, trapno, oldmask, cr2;
  uint8_t *fpstate;
};

struct frame {
  unsigned long flags;
  struct ucontext *link;
  stack_t stack;
  struct context context;
};

/* The XSAVE area that fpstate points to: SDM vol. 1, 13.4; the place of the YMM component is the same everywhere. */
enum { XSTATE_X87 = 1, XSTATE_SSE = 2, XSTATE_YMM = 4, XSTATE_BV_AT = 512, XSTATE_YMM_AT = 576 };

/* Does the frame hold YMM registers? Bytes 464…511 describe it (struct _fpx_sw_bytes). */
static int has_ymm(const struct context *context) {
  return (((struct _fpx_sw_bytes *)(context->fpstate + 464))->xfeatures & XSTATE_YMM) != 0;
}

static uint64_t *xstate_bv(struct context *context) { return (uint64_t *)(context->fpstate + XSTATE_BV_AT); }

/* Undoes the patches of the current case, in memory and in `expected`. */
static void remove_patches(void) {
  struct registers *header = (struct registers *)current_case;
  uint8_t *at = current_case + sizeof *header;
  for (uint32_t i = 0; i < header->count; i++) {
    struct patch *patch = (struct patch *)at;
    uint64_t offset = snapshot_offset(patch->address, patch->length);
    memcpy(expected + offset, baseline + offset, patch->length);
    memcpy((void *)(uint64_t)patch->address, baseline + offset, patch->length);
    at += sizeof *patch + ((patch->length + 7u) & ~7u);
  }
}

/* How often this thread has given the processor away. */
static uint64_t context_switches(void) {
  struct rusage usage;
  check(system_call(__NR_getrusage, RUSAGE_THREAD, (long)&usage, 0, 0, 0, 0));
  return (uint64_t)(usage.ru_nvcsw + usage.ru_nivcsw);
}

static uint64_t initial_fs_base, initial_gs_base, switches_before;

/* Was there a context switch while the case had FS and GS? A kernel without FSGSBASE keeps no account of the bases that null
 * selectors leave: at a switch it puts back those that it was told last (arch/x86/kernel/process_64.c, save_base_legacy).
 * What the case has left is lost then. */
static int was_switched;

static void load_segments(void) {
  check(system_call(__NR_arch_prctl, ARCH_SET_FS, (long)initial_fs_base, 0, 0, 0, 0));
  check(system_call(__NR_arch_prctl, ARCH_SET_GS, (long)initial_gs_base, 0, 0, 0, 0));
  __asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(0));
}

/* Reports the bases of FS and GS, and undoes what the case has loaded into segment registers. */
static void take_segments(struct registers *result) {
  check(system_call(__NR_arch_prctl, ARCH_GET_FS, (long)&result->fs_base, 0, 0, 0, 0));
  check(system_call(__NR_arch_prctl, ARCH_GET_GS, (long)&result->gs_base, 0, 0, 0, 0));
  uint64_t switches = context_switches();
  was_switched = switches != switches_before;
  switches_before = switches;
  uint16_t ds, es, fs, gs;
  __asm__("mov %%ds, %0; mov %%es, %1; mov %%fs, %2; mov %%gs, %3" : "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
  if (result->fs_base != initial_fs_base || result->gs_base != initial_gs_base || (ds | es | fs | gs) != 0)
    load_segments();
}

static void finish_case(struct context *context, uint32_t vector) {
  struct registers *result = (struct registers *)next_result;
  result->rip = context->ip;
  result->rflags = context->flags;
#define SAVE(number, name) result->gpr[number] = context->name;
  EACH_REGISTER(SAVE)
  result->vector = vector;
  result->error = vector < 32 ? (uint32_t)context->err : 0;
  result->address = vector == 14 ? context->cr2 : 0;
  memcpy(result->fx, context->fpstate, FX_SIZE);
  /* A component in its initial configuration need not be there. */
  if (has_ymm(context) && *xstate_bv(context) & XSTATE_YMM) memcpy(result->ymm, context->fpstate + XSTATE_YMM_AT, YMM_SIZE);
  else memset(result->ymm, 0, YMM_SIZE);
  take_segments(result);
  struct change *changes = (struct change *)(result + 1);
  struct change *end = take_changes(changes);
  result->count = (uint32_t)(end - changes);
  result->size = (uint32_t)((uint8_t *)end - next_result);
  next_result = (uint8_t *)end;
  remove_patches();
}

static void exchange_batches(void) {
  struct batch *results = (struct batch *)output;
  if (cases_begun > 0) {
    results->size = (uint32_t)(next_result - output - sizeof *results);
    write_all(output, sizeof *results + results->size);
  }
  struct batch header;
  read_all(&header, sizeof header);
  if (header.size > sizeof input) leave(100);
  read_all(input, header.size);
  next_case = input;
  next_result = output + sizeof *results;
  cases_left = results->count = header.count;
  switches_before = context_switches();
}

/* ---- into the code of a case ---- */

/* On some hosts a return to user mode with an RSP that is not canonical ends in #GP at the address returned to (seen on
 * Linux 6.18 on a virtual EPYC). So the last step is taken in user mode. */
__attribute__((used)) static uint64_t resume_rsp, resume_rip;

__attribute__((naked)) static void resume(void) {
  __asm__("mov resume_rsp(%rip), %rsp; jmp *resume_rip(%rip); .globl resume_end; resume_end:");
}
extern const uint8_t resume_end[];

enum { EFLAGS_TF = 0x100 };

static uint8_t signal_stack[1 << 16] __attribute__((aligned(64)));

/* With TF set there would be a single step of `resume` itself: the kernel has to take the last step, and RSP to be canonical. */
static void resume_at(struct context *context, uint64_t rip, uint64_t rsp) {
  if (context->flags & EFLAGS_TF) {
    context->ip = rip;
    context->sp = rsp;
    return;
  }
  resume_rip = rip;
  resume_rsp = rsp;
  context->ip = (uint64_t)resume;
  context->sp = (uint64_t)signal_stack;
}

/* Resumes what a tick has interrupted: perhaps `resume` itself. */
static void resume_interrupted(struct context *context) {
  int is_resuming = context->ip >= (uint64_t)resume && context->ip < (uint64_t)resume_end;
  if (is_resuming) resume_at(context, resume_rip, resume_rsp);
  else resume_at(context, context->ip, context->sp);
}

enum { MOST_ATTEMPTS = 5 };
static uint32_t attempts;

/* A timer interrupt that the kernel returned from ends like any other return with such an RSP: in #GP. What the code
 * itself does wrong, it does again. And a case that was switched away from runs again, unless it takes longer than a slice
 * of time anyway. */
static int is_to_be_repeated(const struct context *context, uint32_t vector) {
  if (attempts >= MOST_ATTEMPTS) return 0;
  if (was_switched && vector != TIMED_OUT) return 1;
  int is_canonical = (int64_t)(context->sp << 16) >> 16 == (int64_t)context->sp;
  return vector == 13 && context->err == 0 && !is_canonical;
}

static void begin_case(struct context *context) {
  while (cases_left == 0) exchange_batches();
  cases_left--;
  cases_begun++;
  current_case = next_case;
  struct registers *header = (struct registers *)current_case;
  next_case += header->size;
  uint8_t *at = current_case + sizeof *header;
  for (uint32_t i = 0; i < header->count; i++) {
    struct patch *patch = (struct patch *)at;
    uint64_t offset = snapshot_offset(patch->address, patch->length);
    memcpy(expected + offset, patch->bytes, patch->length);
    memcpy((void *)(uint64_t)patch->address, patch->bytes, patch->length);
    at += sizeof *patch + ((patch->length + 7u) & ~7u);
  }
  context->flags = header->rflags;
#define LOAD(number, name) context->name = header->gpr[number];
  EACH_REGISTER(LOAD)
  resume_at(context, header->rip, header->gpr[4]);
  memcpy(context->fpstate, header->fx, FX_SIZE);
  if (!has_ymm(context)) return;
  memcpy(context->fpstate + XSTATE_YMM_AT, header->ymm, YMM_SIZE);
  *xstate_bv(context) |= XSTATE_X87 | XSTATE_SSE | XSTATE_YMM;
}

/* ---- signals ---- */

static uint64_t ticked_in;

static uint32_t vector_of(int signal, const struct context *context) {
  switch (signal) {
    case SIGTRAP:
    case SIGSEGV:
    case SIGBUS:
    case SIGILL:
    case SIGFPE:
      return (uint32_t)context->trapno;
    case SIGSYS:
      return SYSTEM_CALL;
    case SIGVTALRM:
      return TIMED_OUT;
    default:
      return OTHER_SIGNAL + (uint32_t)signal;
  }
}

static void handle(int signal, void *info, struct frame *frame) {
  (void)info;
  /* Alignment checks (AC) that the case has switched on would hit this code too. rt_sigreturn leaves ID and NT as they
   * are at its call: every case begins with them clear. */
  __asm__ volatile("pushfq; andq $~0x244000, (%%rsp); popfq" : : : "cc", "memory");
  if (signal == SIGVTALRM && ticked_in != cases_begun) {
    ticked_in = cases_begun;
    resume_interrupted(&frame->context);
    return;
  }
  if (cases_begun > 0) {
    uint32_t vector = vector_of(signal, &frame->context);
    uint8_t *result = next_result;
    finish_case(&frame->context, vector);
    if (is_to_be_repeated(&frame->context, vector)) {
      attempts++;
      next_result = result;
      next_case = current_case;
      cases_left++;
    } else {
      attempts = 0;
    }
  }
  begin_case(&frame->context);
}

__attribute__((naked)) static void restore(void) {
  __asm__("mov %0, %%eax; syscall" : : "i"(__NR_rt_sigreturn));
}

static void catch_signal(int signal) {
  struct {
    void (*handler)(int, void *, struct frame *);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
  } action = {handle, SA_SIGINFO | SA_ONSTACK | SA_RESTORER, restore, ~0ull};
  check(system_call(__NR_rt_sigaction, signal, (long)&action, 0, sizeof action.mask, 0, 0));
}

/* ---- start ---- */

static void map_regions(void) {
  static uint8_t buffer[sizeof(struct setup) + MAXIMUM_REGIONS * sizeof(struct region)];
  struct setup *setup = (struct setup *)buffer;
  read_all(setup, sizeof *setup);
  if (setup->regions > MAXIMUM_REGIONS) leave(102);
  read_all(setup->region, setup->regions * sizeof(struct region));
  region_count = setup->regions;
  uint64_t total = 0;
  for (uint32_t i = 0; i < region_count; i++) {
    regions[i] = setup->region[i];
    total += regions[i].size;
    check(system_call(__NR_mmap, (long)regions[i].address, (long)regions[i].size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_POPULATE, -1, 0));
  }
  if (total > MAXIMUM_SNAPSHOT) leave(103);
  read_all(baseline, total);
  memcpy(expected, baseline, total);
  uint8_t *from = baseline;
  for (uint32_t i = 0; i < region_count; from += regions[i].size, i++) {
    memcpy((void *)regions[i].address, from, regions[i].size);
    long protection = PROT_READ | (regions[i].writable ? PROT_WRITE : 0) | (regions[i].executable ? PROT_EXEC : 0);
    check(system_call(__NR_mprotect, (long)regions[i].address, (long)regions[i].size, protection, 0, 0, 0));
  }
  initial_fs_base = setup->fs_base;
  initial_gs_base = setup->gs_base;
  load_segments();
}

/* Allows what this program does, and nothing that the code under test does. */
static void forbid_system_calls(void) {
  uint32_t first = ~0u, last = 0;
  for (uint32_t i = 0; i < region_count; i++) {
    if (!regions[i].executable) continue;
    if (regions[i].address < first) first = (uint32_t)regions[i].address;
    if (regions[i].address + regions[i].size > last) last = (uint32_t)(regions[i].address + regions[i].size);
  }
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 10),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer)),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first, 0, 1),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, last, 0, 7),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_getrusage, 6, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_rt_sigreturn, 5, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_arch_prctl, 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_read, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_write, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit_group, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  check(system_call(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0));
  check(system_call(__NR_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (long)&program, 0, 0, 0));
}

__attribute__((used)) static void start(void) {
  map_regions();
  stack_t stack = {.ss_sp = signal_stack, .ss_flags = 0, .ss_size = sizeof signal_stack};
  check(system_call(__NR_sigaltstack, (long)&stack, 0, 0, 0, 0, 0));
  int signals[] = {SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS, SIGVTALRM};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) catch_signal(signals[i]);
  /* Counts this process's own time, so that a busy machine stops nobody. */
  struct __kernel_old_itimerval watchdog = {{0, 20000}, {0, 20000}};
  check(system_call(__NR_setitimer, ITIMER_VIRTUAL, (long)&watchdog, 0, 0, 0, 0));
  forbid_system_calls();
  __asm__ volatile("int3");
}

__attribute__((naked, used)) void _start(void) {
  __asm__("xor %ebp, %ebp; and $-16, %rsp; call start; ud2");
}
