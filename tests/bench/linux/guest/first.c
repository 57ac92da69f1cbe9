/* SPDX-License-Identifier: BSD-2-Clause */
/* first.c - /init of the Linux guest: says when the first user instruction ran, then becomes the
 * script. The TSC counts from power-on where QEMU counts instructions. Linked without libc, so
 * that _start is the first user instruction of the machine. */

static char *const arguments[] = { (char *)"busybox", (char *)"sh", (char *)"/init.sh", 0 };

static long call(long number, long a, long b, long c)
{
	long result;
	__asm__ volatile("syscall"
					 : "=a"(result)
					 : "a"(number), "D"(a), "S"(b), "d"(c)
					 : "rcx", "r11", "memory");
	return result;
}

static void put_number(unsigned long number)
{
	static const char label[] = "bench: first instruction at TSC ";
	char text[sizeof label + 24];
	int at = sizeof text;
	text[--at] = '\n';
	do
		text[--at] = (char)('0' + number % 10);
	while (number /= 10);
	for (int i = (int)sizeof label - 2; i >= 0; i--)
		text[--at] = label[i];
	call(1, 1, (long)(text + at), (long)sizeof text - at); /* write */
}

__attribute__((noreturn, used)) static void first(void)
{
	unsigned low, high;
	char *const environment[] = { 0 };
	__asm__ volatile("rdtsc"
					 : "=a"(low), "=d"(high));
	put_number((unsigned long)high << 32 | low);
	call(59, (long)"/bin/busybox", (long)arguments, (long)environment); /* execve */
	for (;;)
		call(60, 1, 0, 0); /* exit */
}

__asm__(".globl _start; _start: xor %ebp, %ebp; and $-16, %rsp; call first");
