; Exceptions in long mode at CPL 0: vectors, error codes, where RIP is, page faults of all kinds.
%include "start.inc"

%macro try 2+                   ; name, instruction
        say %1, 10
        expect %%done
        fault_at %%instruction
%%instruction:
        %2
        say "  no exception", 10
%%done:
%endmacro
%macro attempt 1                ; name; instructions up to `completed` follow, RIPs are counted from the first one
        say %1, 10
        expect %%done
        fault_at %%instruction
        jmp %%instruction
%%done: jmp near %%behind
%%instruction:
        %push attempt
        %xdefine BEHIND %%behind
%endmacro
%macro completed 0
        say "  no exception", 10
BEHIND:
        %pop
%endmacro
%macro fault_at 1
        mov qword [fault_base], %1
%endmacro

PT      equ 0x4000              ; maps 0x400000…0x5fffff with 4 KiB pages
PAGE    equ 0x400000

body:
        call setup_idt
        try "ud2", ud2
        xor ecx, ecx
        try "div", div ecx
        try "int3", int3
        try "int 0x42", int 0x42
        mov rbx, 0x8000000000000000
        try "non-canonical read", mov rax, [rbx]
        try "non-canonical write", mov [rbx], rax
        mov rbp, rbx
        mov eax, 0x80000000
        mov ecx, 0xc0000102
        try "swapgs", swapgs
        try "bad selector", mov ds, word [selector_bad]
        try "bad stack selector", mov ss, word [selector_code]
        try "ltr of a data segment", ltr [selector_data]
        try "busy ltr", ltr [selector_tss]
        try "lldt of a data segment", lldt [selector_data]
        attempt "far return to null"
        push 0
        push 0
        retfq
        completed
        attempt "iret to a data segment"
        push DATA
        push STACK
        pushfq
        push DATA
        push 0
        iretq
        completed

        ; A page table of our own behind the second 2 MiB entry.
        mov rdi, PT
        mov ecx, 512
        mov rax, 0x400003
.fill:
        stosq
        add rax, 0x1000
        loop .fill
        mov qword [PD + 2 * 8], PT | 3
        mov rax, cr3
        mov cr3, rax
        mov qword [PT + 1 * 8], 0               ; not present
        mov qword [PT + 2 * 8], 0x402001        ; read only
        mov rax, 0x8000000000403003
        mov [PT + 3 * 8], rax                   ; no execution
        mov rax, 0x0008000000404003
        mov [PT + 4 * 8], rax                   ; reserved bit 51
        mov qword [PT + 5 * 8], 0x405103        ; global
        mov byte [PAGE + 0x6000], 0xc3          ; ret
        mov byte [PAGE + 0x3000], 0xc3
        mov qword [PT + 6 * 8], 0x406003        ; accessed, dirty: cleared again
        mov rax, cr3
        mov cr3, rax
        try "read of a page that is not present", mov rax, [PAGE + 0x1008]
        try "write", mov [PAGE + 0x1008], rax
        mov rbx, PAGE + 0x1010
        try "call", call rbx
        try "read of a read-only page", mov rax, [PAGE + 0x2ff0]
        try "write to a read-only page", mov [PAGE + 0x2ff0], rax
        try "write that crosses into it", mov [PAGE + 0x1ffc], rax
        try "write that crosses out of it", mov [PAGE + 0x2ffc], rax
        mov rbx, PAGE + 0x3000
        try "call to a no-execute page", call rbx
        show "PT[2]", [PT + 2 * 8]
        show "PT[6]", [PT + 6 * 8]
        newline
        mov al, [PAGE + 0x6000]
        show "PT[6] read", [PT + 6 * 8]
        newline
        mov [PAGE + 0x6001], al
        show "PT[6] written", [PT + 6 * 8]
        newline
        mov rbx, PAGE + 0x6000
        call rbx
        mov rax, [PD + 2 * 8]
        show "PD[2]", rax
        mov rax, [PD + 0 * 8]
        show "PD[0]", rax
        newline
        ; WP clear: the supervisor writes to read-only pages.
        mov rax, cr0
        and eax, ~0x10000
        mov cr0, rax
        try "write without WP", mov [PAGE + 0x2ff0], rax
        show "PT[2]", [PT + 2 * 8]
        mov rax, cr0
        or eax, 0x10000
        mov cr0, rax
        try "write with WP", mov [PAGE + 0x2ff0], rax
        ; The TLB keeps what was; INVLPG and CR3 make changes seen, but for global pages only INVLPG does.
        mov rax, [PAGE + 0x5000]
        mov rax, [PAGE + 0x7000]
        mov qword [PT + 7 * 8], 0
        invlpg [PAGE + 0x7000]
        try "after invlpg", mov rax, [PAGE + 0x7000]
        mov rax, [PAGE + 0x8000]
        mov qword [PT + 8 * 8], 0
        mov rax, cr3
        mov cr3, rax
        try "after mov cr3", mov rax, [PAGE + 0x8000]
        mov qword [PT + 5 * 8], 0
        invlpg [PAGE + 0x5000]
        try "global, after invlpg", mov rax, [PAGE + 0x5000]
        ; NT, AC and the like in the flags that are pushed
        push 0x44000
        popfq
        try "flags", ud2
        pushfq
        pop rax
        and eax, ~0x244ad5
        show "flags now", rax
        newline
        push 2
        popfq
        ; Double fault: no handler for #GP.
        mov word [idt + 13 * 16 + 4], 0x0e00
        mov rbx, 0x8000000000000000
        try "double fault", mov rax, [rbx]
        mov word [idt + 13 * 16 + 4], 0x8e00
        ; prefixes that mean nothing
        mov ebx, 0x1234
        db 0x67
        mov eax, ebx
        show "a32 mov", rax
        db 0x2e, 0x67
        add rax, rbx
        show "add", rax
        newline
        say "done", 10
        finish

        align 8
selector_bad:   dw 0x1000
selector_code:  dw CODE64
selector_null3: dw 3
selector_data:  dw DATA
selector_tss:   dw TSSSEL
end_of_image:
