/*
 * Wide vector registers as programs meet them: code compiled for AVX2, FMA and BMI gives what portable code gives; signals
 * and switches between threads keep all of every register; a handler finds them in its frame, and may change them there.
 * Where the processor has no AVX2, the portable code stands in for it: the output is the same everywhere.
 */
#define _GNU_SOURCE
#include <immintrin.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define WIDE __attribute__((target("avx2,fma,bmi,bmi2,lzcnt,f16c"), noinline, optimize("O3", "fp-contract=off")))
#define PORTABLE __attribute__((noinline, optimize("O3", "fp-contract=off")))

static int supported;

/* ---- the same loops for both ---- */

enum { COUNT = 1003 };
static double a[COUNT], b[COUNT], c[COUNT];
static float f[COUNT], g[COUNT];
static int32_t integers[COUNT];
static uint8_t bytes[COUNT];

static uint64_t random_state = 88172645463325252u;
static uint64_t next_random(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  return random_state ^= random_state << 17;
}

static void fill(void) {
  for (int i = 0; i < COUNT; i++) {
    a[i] = ldexp((double)(int64_t)next_random(), (int)(next_random() % 60) - 90);
    b[i] = (double)(int32_t)next_random() / 7;
    c[i] = -a[i] * b[i] * (1 + 0x1p-52 * (double)(next_random() % 5)); /* what a fused multiply-add is for */
    f[i] = (float)(int32_t)next_random() / 3;
    g[i] = (float)next_random();
    integers[i] = (int32_t)next_random();
    bytes[i] = (uint8_t)next_random();
  }
}

static uint64_t digest(const void *data, size_t size) {
  const uint8_t *at = data;
  uint64_t hash = 14695981039346656037u;
  for (size_t i = 0; i < size; i++) hash = (hash ^ at[i]) * 1099511628211u;
  return hash;
}

#define LOOPS(suffix, attributes)                                                              \
  attributes static void doubles_##suffix(double *out) {                                       \
    for (int i = 0; i < COUNT; i++) out[i] = sqrt(fabs(a[i] * b[i] - c[i] / (b[i] + 1)));      \
  }                                                                                            \
  attributes static void fused_##suffix(double *out) {                                         \
    for (int i = 0; i < COUNT; i++) out[i] = __builtin_fma(a[i], b[i], c[i]);                  \
  }                                                                                            \
  attributes static void fused_singles_##suffix(float *out) {                                  \
    for (int i = 0; i < COUNT; i++) out[i] = __builtin_fmaf(f[i], g[i], -f[i] * g[i]);         \
  }                                                                                            \
  attributes static void converted_##suffix(float *out) {                                      \
    for (int i = 0; i < COUNT; i++) out[i] = (float)integers[i] + (float)b[i] + bytes[i];      \
  }                                                                                            \
  attributes static void shifted_##suffix(int32_t *out) {                                      \
    for (int i = 0; i < COUNT; i++) out[i] = (integers[i] >> (bytes[i] & 31)) ^ (int)((uint32_t)integers[i] << (i & 31)); \
  }                                                                                            \
  attributes static void gathered_##suffix(double *out) {                                      \
    for (int i = 0; i < COUNT; i++) out[i] = a[(uint32_t)integers[i] % COUNT];                 \
  }                                                                                            \
  attributes static uint64_t bits_##suffix(void) {                                             \
    uint64_t sum = 0;                                                                          \
    for (int i = 0; i < COUNT; i++) {                                                          \
      uint64_t x = (uint64_t)integers[i] * 0x9e3779b97f4a7c15u | 1;                            \
      sum += (uint64_t)__builtin_clzll(x) + (uint64_t)__builtin_ctzll(x << (i & 63) | 1ull << 63); \
      sum = (sum ^ (x & (x - 1)) ^ (x & -x) ^ (~sum & x)) * 3 + (sum >> (x & 63));             \
      sum += (uint64_t)(((unsigned __int128)x * sum) >> 64);                                   \
    }                                                                                          \
    return sum;                                                                                \
  }                                                                                            \
  attributes static uint64_t counted_##suffix(void) {                                          \
    uint64_t count = 0;                                                                        \
    for (int i = 0; i < COUNT; i++) count += bytes[i] == 42 || bytes[i] > 200;                 \
    return count;                                                                              \
  }
LOOPS(portable, PORTABLE)
LOOPS(wide, WIDE)

#define SHOW(name, type)                                              \
  do {                                                                \
    static type out[COUNT];                                           \
    supported ? name##_wide(out) : name##_portable(out);              \
    uint64_t one = digest(out, sizeof out);                           \
    name##_portable(out);                                             \
    printf("%s %016lx %s\n", #name, one, one == digest(out, sizeof out) ? "agrees" : "differs"); \
  } while (0)

static void loops(void) {
  fill();
  SHOW(doubles, double);
  SHOW(fused, double);
  SHOW(fused_singles, float);
  SHOW(converted, float);
  SHOW(shifted, int32_t);
  SHOW(gathered, double);
  printf("bits %016lx %d\n", bits_portable(), !supported || bits_wide() == bits_portable());
  printf("counted %lu %d\n", counted_portable(), !supported || counted_wide() == counted_portable());
}

/* ---- registers across signals and threads ---- */

typedef uint8_t registers[16][32];

static void pattern(registers into, unsigned seed) {
  for (unsigned i = 0; i < sizeof(registers); i++) ((uint8_t *)into)[i] = (uint8_t)(i * 7 + seed + (i >> 5));
}

#define EACH(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)
#define LOAD(n) "vmovdqu 32*" #n "(%[r]), %%ymm" #n "\n"
#define STORE(n) "vmovdqu %%ymm" #n ", 32*" #n "(%[r])\n"
#define CLOBBER(n) "xmm" #n,

/* Loads the registers, makes a system call, stores them. */
static long call_with_registers(registers r, long number, long first, long second, long third) {
  if (!supported) return syscall(number, first, second, third);
  __asm__ volatile(EACH(LOAD) "syscall\n" EACH(STORE)
                   : "+a"(number)
                   : [r] "r"(r), "D"(first), "S"(second), "d"(third)
                   : EACH(CLOBBER) "rcx", "r11", "memory");
  return number;
}

static volatile int handled, upper_in_frame, changes_frame;
enum { XFEATURES_AT = 472, YMM_AT = 576, MAGIC_AT = 464 };

__attribute__((target("avx"))) static void clear_registers(void) { __asm__ volatile("vzeroall" ::: EACH(CLOBBER) "memory"); }

static void handler(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)info;
  uint8_t *fp = (uint8_t *)((ucontext_t *)context)->uc_mcontext.fpregs;
  handled++;
  if (!supported) {
    upper_in_frame = 1;
    return;
  }
  registers expected;
  pattern(expected, 5);
  uint32_t magic, xfeatures;
  memcpy(&magic, fp + MAGIC_AT, 4);
  memcpy(&xfeatures, fp + XFEATURES_AT, 4);
  int same = magic == 0x46505853 && (xfeatures & 7) == 7;
  for (int i = 0; i < 16; i++) same &= memcmp(fp + YMM_AT + 16 * i, expected[i] + 16, 16) == 0;
  upper_in_frame = same;
  if (changes_frame) memset(fp + YMM_AT, 0x5a, 16);
  clear_registers();
}

static void signals(void) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, NULL);
  registers before, now;
  pattern(before, 5);
  pattern(now, 5);
  call_with_registers(now, SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
  printf("signal: handled %d, in the frame %d, kept %d\n", handled, upper_in_frame, memcmp(before, now, sizeof now) == 0);
  pattern(now, 5);
  changes_frame = 1;
  call_with_registers(now, SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
  if (!supported) memset(now[0] + 16, 0x5a, 16);
  memset(before[0] + 16, 0x5a, 16);
  printf("changed in the frame: %d\n", memcmp(before, now, sizeof now) == 0);
}

static void *keeps_registers(void *argument) {
  unsigned seed = (unsigned)(uintptr_t)argument;
  registers before, now;
  pattern(before, seed);
  long kept = 0;
  for (int round = 0; round < 200; round++) {
    pattern(now, seed);
    call_with_registers(now, SYS_sched_yield, 0, 0, 0);
    kept += memcmp(before, now, sizeof now) == 0;
  }
  return (void *)kept;
}

static void threads(void) {
  pthread_t all[3];
  for (uintptr_t i = 0; i < 3; i++) pthread_create(&all[i], NULL, keeps_registers, (void *)(i * 50 + 1));
  for (int i = 0; i < 3; i++) {
    void *kept;
    pthread_join(all[i], &kept);
    printf("thread %d kept its registers %ld times\n", i, (long)kept);
  }
}

/* ---- the C library's own choices ---- */

static void strings(void) {
  static char text[5000], copy[5000];
  size_t sum = 0;
  for (int length = 0; length < 600; length += 7) {
    memset(text, 'a' + length % 26, sizeof text);
    text[length] = 0;
    memmove(copy + length % 33, text, (size_t)length + 1);
    sum = sum * 31 + strlen(copy + length % 33) + (memcmp(text, copy, (size_t)length / 2 + 1) > 0);
    sum += strchr(text, 'c') != NULL;
    sum += memchr(text, 0, sizeof text) == text + length;
    memmove(copy + 3, copy, 4000);
    sum ^= digest(copy, sizeof copy);
  }
  printf("strings %016zx\n", sum);
}

int main(void) {
  __builtin_cpu_init();
  supported = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  loops();
  signals();
  threads();
  strings();
  return 0;
}
