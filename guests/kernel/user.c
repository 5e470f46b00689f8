/* Ring 3: how it gets there and back, and what it must not do. Intel SDM vol. 2, SYSCALL, SYSRET; vol. 3, 5.5 to 5.9. */
#include "kernel.h"

#define IA32_STAR 0xc0000081
#define IA32_LSTAR 0xc0000082
#define IA32_FMASK 0xc0000084
#define INTERRUPT_FLAG 0x200
#define USER_PAGE 0x2400000ull
#define CALL_GATE 0x80

extern uint64_t run_user(void (*)(void), void *, uint64_t *);
extern char system_call[], end_user[];
extern uint64_t page_directory[512];
uint64_t user_return_stack;

static uint8_t user_stack[4096] __attribute__((aligned(16)));

/* Code for ring 3: it ends itself by system call 0. */
#define END "xorl %%eax, %%eax; syscall"
static void count_calls(void) {
  __asm__ volatile(
      "movl $1000, %%ebx; xorl %%edi, %%edi\n"
      "1:\tmovl $1, %%eax; syscall; movq %%rax, %%rdi; decl %%ebx; jnz 1b\n\t" END ::
          : "rax", "rbx", "rcx", "rdi", "r11");
}
static void read_cs(void) {
  __asm__ volatile("xorl %%edi, %%edi; movw %%cs, %%di\n\t" END ::: "rax", "rcx", "rdi", "r11");
}
static void by_interrupt(void) { __asm__ volatile("movl $42, %%edi; int $0x80" ::: "rdi"); }
static void halt(void) { __asm__ volatile("hlt"); }
static void read_cr0(void) { (void)READ_CR(0); }
static void close_interrupts(void) { cli(); }
static void use_port(void) { out8(0x80, 0); }
static void closed_gate(void) { __asm__ volatile("int $0x31"); }
static void read_kernel_page(void) { (void)*(volatile uint64_t *)USER_PAGE; }

/* What made ring 3 stop: the vector and the error code, packed. */
static void on_fault(struct frame *frame) {
  frame->rdi = frame->vector << 32 | frame->error;
  frame->rip = (uint64_t)end_user;
  frame->cs = KERNEL_CODE;
  frame->ss = KERNEL_DATA;
  frame->rflags = 2;
}
static void on_call(struct frame *frame) {
  bool fits = frame->cs == USER_CODE && frame->ss == USER_DATA && (frame->rflags & INTERRUPT_FLAG) != 0;
  frame->rdi = fits ? frame->rdi : 0;
  uint64_t result = frame->rdi;
  on_fault(frame);
  frame->rdi = result;
}

static uint64_t run(void (*code)(void)) {
  return run_user(code, user_stack + sizeof user_stack, &user_return_stack);
}
static uint64_t fault_code(uint64_t vector, uint64_t error) { return vector << 32 | error; }

void check_user_mode(void) {
  wrmsr(IA32_STAR, (uint64_t)(KERNEL_DATA | 3) << 48 | (uint64_t)KERNEL_CODE << 32);
  wrmsr(IA32_LSTAR, (uint64_t)system_call);
  wrmsr(IA32_FMASK, INTERRUPT_FLAG);
  handle(13, on_fault);
  handle(14, on_fault);
  handle(CALL_GATE, on_call);
  open_gate(CALL_GATE);

  check(run(read_cs) == USER_CODE, "ring 3 has its own CS");
  check(run(count_calls) == 1000, "1,000 system calls and returns");
  check(run(by_interrupt) == 42, "INT 80H comes from ring 3 with its segments and flags");
  check(run(halt) == fault_code(13, 0), "#GP: HLT in ring 3");
  check(run(read_cr0) == fault_code(13, 0), "#GP: CR0 in ring 3");
  check(run(close_interrupts) == fault_code(13, 0), "#GP: CLI in ring 3");
  check(run(use_port) == fault_code(13, 0), "#GP: a port in ring 3");
  /* The error code names the gate in the IDT; under QEMU before 8.2 with twice its index. */
  uint64_t refused = run(closed_gate);
  check(refused >> 32 == 13 && (refused & 7) == 2, "#GP: a gate that is for ring 0 only");
  page_directory[USER_PAGE >> 21] &= ~4ull;
  WRITE_CR(3, READ_CR(3));
  check(run(read_kernel_page) == fault_code(14, 5), "#PF: a supervisor's page");
  handle(13, NULL);
  handle(14, NULL);
}
