/* What the parts of the kernel know of each other. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- the processor ---- */

static inline void out8(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }
static inline uint8_t in8(uint16_t port) {
  uint8_t value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
static inline void wrmsr(uint32_t index, uint64_t value) {
  __asm__ volatile("wrmsr" ::"c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}
static inline uint64_t rdmsr(uint32_t index) {
  uint32_t low, high;
  __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
  return (uint64_t)high << 32 | low;
}
static inline uint64_t rdtsc(void) {
  uint32_t low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return (uint64_t)high << 32 | low;
}
static inline void invlpg(void *address) { __asm__ volatile("invlpg (%0)" ::"r"(address) : "memory"); }
static inline void sti(void) { __asm__ volatile("sti" ::: "memory"); }
static inline void cli(void) { __asm__ volatile("cli" ::: "memory"); }
#define READ_CR(n)                                                                             \
  ({                                                                                           \
    uint64_t value_;                                                                           \
    __asm__ volatile("mov %%cr" #n ", %0" : "=r"(value_));                                     \
    value_;                                                                                    \
  })
#define WRITE_CR(n, value) __asm__ volatile("mov %0, %%cr" #n ::"r"((uint64_t)(value)) : "memory")

/* ---- segments, in the GDT of descriptors.c ---- */

#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
#define USER_DATA 0x1b
#define USER_CODE 0x23
#define TASK 0x28

/* ---- interrupt-entry.S ---- */

/* What an interrupt finds on its stack. */
struct frame {
  uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
  uint64_t vector, error;
  uint64_t rip, cs, rflags, rsp, ss;
};
extern char interrupt_stubs[];
#define STUB_BYTES 16
extern void load_segments(void);

/* ---- descriptors.c ---- */

void set_up_descriptors(void);
/* Lets ring 3 use a vector. */
void open_gate(int vector);
/* Has a vector handled on a stack of its own: 1…7, 0 for none. */
void set_stack_of_gate(int vector, int stack);

/* ---- main.c: checks, and where interrupts go ---- */

typedef void handler(struct frame *);
void handle(int vector, handler *function);
/* The exception that the last fault() met. */
struct fault {
  int vector;
  uint64_t error, cr2, rip;
};
/* Runs a function that is expected to fault; execution goes on behind it. Vector -1: it did not. */
struct fault fault(void (*function)(void));
void check(bool holds, const char *what);
void say(const char *text);
void say_number(uint64_t value);
_Noreturn void finish(void);

/* ---- the checks ---- */

void check_exceptions(void);
void check_paging(void);
void check_user_mode(void);
void check_timers(void);
/* Masks lines of the first 8259, and all of the second. */
void mask_pics(uint8_t first);
