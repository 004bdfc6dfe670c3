; part 0: native code
.file	"<string>"
	.section	.rodata.cst32,"aM",@progbits,32
	.p2align	5, 0x0
.LCPI0_0:
	.quad	0x0000000000000000
	.quad	0x8000000000000000
	.quad	0x8000000000000000
	.quad	0x8000000000000000
	.section	.rodata.cst8,"aM",@progbits,8
	.p2align	3, 0x0
.LCPI0_1:
	.quad	0x8000000000000000
.LCPI0_2:
	.quad	0x3f50624dd2f1a9fc
	.section	.ltext,"axl",@progbits
	.globl	kernel
	.p2align	4
	.type	kernel,@function
kernel:
	subq	$408, %rsp
	movq	(%rdi), %rax
	movq	8(%rdi), %rsi
	movq	16(%rdi), %rcx
	movq	24(%rdi), %rdx
	vbroadcastsd	(%rcx), %ymm2
	vbroadcastsd	(%rax), %ymm4
	vmovupd	32(%rsi), %ymm0
	vmovupd	%ymm0, 368(%rsp)
	vmovupd	96(%rsi), %ymm3
	vmovupd	%ymm3, 336(%rsp)
	vmulpd	%ymm0, %ymm4, %ymm0
	vaddpd	%ymm0, %ymm2, %ymm0
	vmovupd	32(%rdx), %ymm1
	vsubpd	%ymm0, %ymm1, %ymm14
	vmovupd	96(%rdx), %ymm1
	vmulpd	%ymm14, %ymm14, %ymm0
	vmulpd	%ymm3, %ymm4, %ymm3
	vaddpd	%ymm3, %ymm2, %ymm3
	vsubpd	%ymm3, %ymm1, %ymm1
	vmovupd	%ymm1, -48(%rsp)
	vmulpd	%ymm1, %ymm1, %ymm11
	movabsq	$.LCPI0_1, %r8
	vmovsd	384(%rsi), %xmm1
	vmovsd	384(%rdx), %xmm3
	vmulsd	%xmm1, %xmm4, %xmm5
	vaddsd	%xmm5, %xmm2, %xmm5
	vsubsd	%xmm5, %xmm3, %xmm3
	vmovsd	%xmm3, -88(%rsp)
	vaddsd	%xmm3, %xmm3, %xmm3
	vmovsd	%xmm3, -96(%rsp)
	vmulsd	%xmm3, %xmm1, %xmm1
	vxorpd	%xmm7, %xmm7, %xmm7
	vcmpeqsd	%xmm7, %xmm3, %xmm3
	vmovsd	(%r8), %xmm5
	vblendvpd	%xmm3, %xmm5, %xmm1, %xmm1
	vmovapd	%xmm1, -64(%rsp)
	vaddpd	%ymm0, %ymm11, %ymm0
	vmovsd	392(%rsi), %xmm1
	vmovsd	392(%rdx), %xmm3
	vmulsd	%xmm1, %xmm4, %xmm6
	vaddsd	%xmm6, %xmm2, %xmm6
	vsubsd	%xmm6, %xmm3, %xmm3
	vmovsd	%xmm3, -104(%rsp)
	vaddsd	%xmm3, %xmm3, %xmm3
	vmovsd	%xmm3, -112(%rsp)
	vmulsd	%xmm3, %xmm1, %xmm1
	vcmpeqsd	%xmm7, %xmm3, %xmm3
	vblendvpd	%xmm3, %xmm5, %xmm1, %xmm1
	vmovapd	%xmm1, -80(%rsp)
	vmovupd	160(%rsi), %ymm1
	vmovupd	%ymm1, 304(%rsp)
	vmulpd	%ymm1, %ymm4, %ymm1
	vaddpd	%ymm1, %ymm2, %ymm1
	vmovupd	160(%rdx), %ymm3
	vsubpd	%ymm1, %ymm3, %ymm11
	vmulpd	%ymm11, %ymm11, %ymm1
	vaddpd	%ymm1, %ymm0, %ymm1
	vmovupd	224(%rsi), %ymm0
	vmovupd	%ymm0, 272(%rsp)
	vmulpd	%ymm0, %ymm4, %ymm0
	vaddpd	%ymm0, %ymm2, %ymm0
	vmovupd	224(%rdx), %ymm3
	vsubpd	%ymm0, %ymm3, %ymm0
	vmulpd	%ymm0, %ymm0, %ymm3
	vaddpd	%ymm3, %ymm1, %ymm1
	vmovupd	288(%rsi), %ymm3
	vmovupd	%ymm3, 240(%rsp)
	vmulpd	%ymm3, %ymm4, %ymm3
	vaddpd	%ymm3, %ymm2, %ymm3
	vmovupd	288(%rdx), %ymm5
	vsubpd	%ymm3, %ymm5, %ymm10
	vmulpd	%ymm10, %ymm10, %ymm3
	vaddpd	%ymm3, %ymm1, %ymm1
	vmovupd	352(%rsi), %ymm3
	vmovupd	%ymm3, 208(%rsp)
	vmulpd	%ymm3, %ymm4, %ymm3
	vaddpd	%ymm3, %ymm2, %ymm3
	vmovupd	352(%rdx), %ymm5
	vsubpd	%ymm3, %ymm5, %ymm9
	vmulpd	%ymm9, %ymm9, %ymm3
	vaddpd	%ymm3, %ymm1, %ymm12
	vmovupd	(%rsi), %ymm1
	vmovupd	%ymm1, 144(%rsp)
	vmulpd	%ymm1, %ymm4, %ymm1
	vaddpd	%ymm1, %ymm2, %ymm1
	vmovupd	(%rdx), %ymm3
	vsubpd	%ymm1, %ymm3, %ymm1
	vmovupd	64(%rsi), %ymm3
	vmovupd	%ymm3, 176(%rsp)
	vmulpd	%ymm3, %ymm4, %ymm3
	vaddpd	%ymm3, %ymm2, %ymm3
	vmovupd	64(%rdx), %ymm5
	vsubpd	%ymm3, %ymm5, %ymm8
	movabsq	$.LCPI0_0, %r9
	vmulpd	%ymm1, %ymm1, %ymm3
	vmovapd	(%r9), %ymm5
	vmovupd	%ymm5, -16(%rsp)
	vaddpd	%ymm5, %ymm3, %ymm3
	vmulpd	%ymm8, %ymm8, %ymm5
	vaddpd	%ymm5, %ymm3, %ymm3
	vmovupd	128(%rsi), %ymm5
	vmovupd	%ymm5, 112(%rsp)
	vmulpd	%ymm5, %ymm4, %ymm5
	vaddpd	%ymm5, %ymm2, %ymm5
	vmovupd	128(%rdx), %ymm7
	vsubpd	%ymm5, %ymm7, %ymm7
	vmulpd	%ymm7, %ymm7, %ymm5
	vaddpd	%ymm5, %ymm3, %ymm3
	vmovupd	192(%rsi), %ymm5
	vmovupd	%ymm5, 80(%rsp)
	vmulpd	%ymm5, %ymm4, %ymm5
	vaddpd	%ymm5, %ymm2, %ymm5
	vmovupd	192(%rdx), %ymm13
	vsubpd	%ymm5, %ymm13, %ymm6
	vmulpd	%ymm6, %ymm6, %ymm13
	vaddpd	%ymm3, %ymm13, %ymm13
	vmovupd	256(%rsi), %ymm3
	vmovupd	%ymm3, 48(%rsp)
	vmulpd	%ymm3, %ymm4, %ymm3
	vaddpd	%ymm3, %ymm2, %ymm3
	vmovupd	256(%rdx), %ymm15
	vsubpd	%ymm3, %ymm15, %ymm5
	vmulpd	%ymm5, %ymm5, %ymm15
	vaddpd	%ymm15, %ymm13, %ymm15
	vmovupd	320(%rsi), %ymm3
	vmovupd	%ymm3, 16(%rsp)
	vmulpd	%ymm3, %ymm4, %ymm4
	vaddpd	%ymm4, %ymm2, %ymm2
	vmovupd	320(%rdx), %ymm4
	vsubpd	%ymm2, %ymm4, %ymm2
	vmulpd	%ymm2, %ymm2, %ymm4
	vaddpd	%ymm4, %ymm15, %ymm4
	vaddpd	%ymm4, %ymm12, %ymm4
	vextractf128	$1, %ymm4, %xmm12
	vaddpd	%xmm4, %xmm12, %xmm4
	vshufpd	$1, %xmm4, %xmm4, %xmm12
	vaddsd	%xmm4, %xmm12, %xmm3
	vmovsd	%xmm3, -120(%rsp)
	vaddpd	%ymm14, %ymm14, %ymm3
	vmovupd	-48(%rsp), %ymm4
	vaddpd	%ymm4, %ymm4, %ymm12
	vaddpd	%ymm11, %ymm11, %ymm11
	vbroadcastsd	(%r8), %ymm4
	vxorpd	%ymm4, %ymm3, %ymm15
	vsubpd	%ymm12, %ymm15, %ymm13
	vsubpd	%ymm11, %ymm13, %ymm13
	vaddpd	%ymm0, %ymm0, %ymm0
	vsubpd	%ymm0, %ymm13, %ymm13
	vaddpd	%ymm10, %ymm10, %ymm10
	vsubpd	%ymm10, %ymm13, %ymm13
	vaddpd	%ymm9, %ymm9, %ymm9
	vsubpd	%ymm9, %ymm13, %ymm13
	vaddpd	%ymm1, %ymm1, %ymm1
	vaddpd	%ymm8, %ymm8, %ymm8
	vmovupd	-16(%rsp), %ymm14
	vsubpd	%ymm1, %ymm14, %ymm14
	vsubpd	%ymm8, %ymm14, %ymm14
	vaddpd	%ymm7, %ymm7, %ymm7
	vsubpd	%ymm7, %ymm14, %ymm14
	vaddpd	%ymm6, %ymm6, %ymm6
	vsubpd	%ymm6, %ymm14, %ymm14
	vaddpd	%ymm5, %ymm5, %ymm5
	vsubpd	%ymm5, %ymm14, %ymm14
	vaddpd	%ymm2, %ymm2, %ymm2
	vsubpd	%ymm2, %ymm14, %ymm14
	vaddpd	%ymm14, %ymm13, %ymm13
	vextractf128	$1, %ymm13, %xmm14
	vaddpd	%xmm14, %xmm13, %xmm13
	vshufpd	$1, %xmm13, %xmm13, %xmm14
	vaddsd	%xmm14, %xmm13, %xmm13
	vmovsd	%xmm13, -48(%rsp)
	vmulpd	368(%rsp), %ymm15, %ymm13
	vcmpneqpd	%ymm3, %ymm15, %ymm3
	vandpd	%ymm3, %ymm13, %ymm3
	vxorpd	%ymm4, %ymm12, %ymm13
	vmulpd	336(%rsp), %ymm13, %ymm14
	vcmpneqpd	%ymm13, %ymm12, %ymm12
	vandpd	%ymm14, %ymm12, %ymm12
	vaddpd	%ymm3, %ymm12, %ymm3
	vxorpd	%ymm4, %ymm11, %ymm12
	vmulpd	304(%rsp), %ymm12, %ymm13
	vcmpneqpd	%ymm12, %ymm11, %ymm11
	vandpd	%ymm13, %ymm11, %ymm11
	vaddpd	%ymm3, %ymm11, %ymm3
	vxorpd	%ymm4, %ymm0, %ymm11
	vmulpd	272(%rsp), %ymm11, %ymm12
	vcmpneqpd	%ymm0, %ymm11, %ymm0
	vandpd	%ymm0, %ymm12, %ymm0
	vaddpd	%ymm0, %ymm3, %ymm0
	vxorpd	%ymm4, %ymm10, %ymm3
	vmulpd	240(%rsp), %ymm3, %ymm11
	vcmpneqpd	%ymm3, %ymm10, %ymm3
	vandpd	%ymm3, %ymm11, %ymm3
	vaddpd	%ymm3, %ymm0, %ymm0
	vxorpd	%ymm4, %ymm9, %ymm3
	vmulpd	208(%rsp), %ymm3, %ymm10
	vcmpneqpd	%ymm3, %ymm9, %ymm3
	vandpd	%ymm3, %ymm10, %ymm3
	vaddpd	%ymm3, %ymm0, %ymm0
	vmulpd	144(%rsp), %ymm1, %ymm3
	vmovupd	-16(%rsp), %ymm9
	vsubpd	%ymm3, %ymm9, %ymm3
	vxorpd	%xmm9, %xmm9, %xmm9
	vcmpneqpd	%ymm1, %ymm9, %ymm1
	vandpd	%ymm3, %ymm1, %ymm1
	vxorpd	%ymm4, %ymm8, %ymm3
	vmulpd	176(%rsp), %ymm3, %ymm9
	vcmpneqpd	%ymm3, %ymm8, %ymm3
	vandpd	%ymm3, %ymm9, %ymm3
	vaddpd	%ymm3, %ymm1, %ymm1
	vxorpd	%ymm4, %ymm7, %ymm3
	vmulpd	112(%rsp), %ymm3, %ymm8
	vcmpneqpd	%ymm3, %ymm7, %ymm3
	vandpd	%ymm3, %ymm8, %ymm3
	vaddpd	%ymm3, %ymm1, %ymm1
	vxorpd	%ymm4, %ymm6, %ymm3
	vmulpd	80(%rsp), %ymm3, %ymm7
	vcmpneqpd	%ymm3, %ymm6, %ymm3
	vandpd	%ymm7, %ymm3, %ymm3
	vaddpd	%ymm3, %ymm1, %ymm1
	vxorpd	%ymm4, %ymm5, %ymm3
	vmulpd	48(%rsp), %ymm3, %ymm6
	vcmpneqpd	%ymm3, %ymm5, %ymm3
	vandpd	%ymm6, %ymm3, %ymm3
	vaddpd	%ymm3, %ymm1, %ymm1
	vxorpd	%ymm4, %ymm2, %ymm3
	vmulpd	16(%rsp), %ymm3, %ymm4
	vcmpneqpd	%ymm3, %ymm2, %ymm2
	vandpd	%ymm4, %ymm2, %ymm2
	vaddpd	%ymm2, %ymm1, %ymm1
	vaddpd	%ymm1, %ymm0, %ymm0
	vextractf128	$1, %ymm0, %xmm1
	vaddpd	%xmm1, %xmm0, %xmm0
	vshufpd	$1, %xmm0, %xmm0, %xmm1
	vaddsd	%xmm1, %xmm0, %xmm0
	vmovsd	-88(%rsp), %xmm1
	vmulsd	%xmm1, %xmm1, %xmm1
	vaddsd	-120(%rsp), %xmm1, %xmm1
	vmovsd	-48(%rsp), %xmm2
	vsubsd	-96(%rsp), %xmm2, %xmm2
	vsubsd	-64(%rsp), %xmm0, %xmm0
	vmovsd	-104(%rsp), %xmm3
	vmulsd	%xmm3, %xmm3, %xmm3
	vaddsd	%xmm3, %xmm1, %xmm1
	vsubsd	-112(%rsp), %xmm2, %xmm2
	vsubsd	-80(%rsp), %xmm0, %xmm0
	movq	32(%rdi), %rdx
	movq	40(%rdi), %rsi
	movq	48(%rdi), %rdi
	vxorpd	%xmm3, %xmm3, %xmm3
	vaddsd	%xmm3, %xmm2, %xmm2
	vaddsd	%xmm3, %xmm0, %xmm0
	vmovsd	%xmm1, (%rdx)
	vmovsd	(%rcx), %xmm1
	movabsq	$.LCPI0_2, %rcx
	vmovsd	(%rcx), %xmm3
	vmulsd	%xmm3, %xmm2, %xmm2
	vsubsd	%xmm2, %xmm1, %xmm1
	vmovsd	(%rax), %xmm2
	vmovsd	%xmm1, (%rsi)
	vmulsd	%xmm3, %xmm0, %xmm0
	vsubsd	%xmm0, %xmm2, %xmm0
	vmovsd	%xmm0, (%rdi)
	addq	$408, %rsp
	vzeroupper
	retq
.Lfunc_end0:
	.size	kernel, .Lfunc_end0-kernel

	.section	".note.GNU-stack","",@progbits
