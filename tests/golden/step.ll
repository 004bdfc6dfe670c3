; part 0: native code
define internal void @loop0.body(ptr noalias %.1, ptr noalias %.2, ptr noalias %.3, ptr noalias %.4, ptr noalias %.5, ptr noalias %.6, ptr noalias %.7, i64 %.8, i64 %.9) nounwind "gt.work"="little"
{
entry:
  %.10 = alloca double
  %.11 = alloca double
  %.12 = alloca double
  %.13 = alloca double
  %.14 = alloca double
  %.15 = alloca double
  store double 0x0, ptr %.10
  store double 0x0, ptr %.12
  store double 0x0, ptr %.14
  store double 0x0, ptr %.11
  store double 0x0, ptr %.13
  store double 0x0, ptr %.15
  %.16 = icmp slt i64 %.8, %.9
  br i1 %.16, label %lanes, label %done
lanes:
  %.17 = phi i64 [%.8, %entry], [%.41, %lanes]
  %.18 = load double, ptr %.1
  %.19 = getelementptr double, ptr %.2, i64 %.17
  %.20 = load double, ptr %.19
  %.21 = load double, ptr %.3
  %.22 = getelementptr double, ptr %.4, i64 %.17
  %.23 = load double, ptr %.22
  %.24 = fmul double %.18, %.20
  %.25 = fadd double %.21, %.24
  %.26 = fsub double %.23, %.25
  %.27 = fmul double %.26, %.26
  %.28 = fadd double %.26, %.26
  %.29 = fneg double %.28
  %.30 = fmul double %.29, %.20
  %.31 = fcmp uno double %.30, %.30
  %.32 = fcmp oeq double %.29, 0x0
  %.33 = select i1 %.32, double 0x0, double %.30
  %.34 = select i1 %.31, double %.33, double %.30
  %.35 = load double, ptr %.11
  %.36 = fadd reassoc double %.35, %.27
  store double %.36, ptr %.11
  %.37 = load double, ptr %.13
  %.38 = fadd reassoc double %.37, %.29
  store double %.38, ptr %.13
  %.39 = load double, ptr %.15
  %.40 = fadd reassoc double %.39, %.34
  store double %.40, ptr %.15
  %.41 = add nuw nsw i64 %.17, 1
  %.42 = icmp slt i64 %.41, %.9
  br i1 %.42, label %lanes, label %done
done:
  %.43 = load double, ptr %.11
  %.44 = load double, ptr %.10
  %.45 = fadd double %.44, %.43
  store double %.45, ptr %.10
  %.46 = load double, ptr %.13
  %.47 = load double, ptr %.12
  %.48 = fadd double %.47, %.46
  store double %.48, ptr %.12
  %.49 = load double, ptr %.15
  %.50 = load double, ptr %.14
  %.51 = fadd double %.50, %.49
  store double %.51, ptr %.14
  %.52 = load double, ptr %.10
  store double %.52, ptr %.5
  %.53 = load double, ptr %.12
  store double %.53, ptr %.6
  %.54 = load double, ptr %.14
  store double %.54, ptr %.7
  ret void
}

define internal void @loop0(ptr %.1, i64 %.2) cold nounwind
{
entry:
  %.3 = getelementptr ptr, ptr %.1, i64 0
  %.4 = load ptr, ptr %.3
  %.5 = getelementptr ptr, ptr %.1, i64 1
  %.6 = load ptr, ptr %.5
  %.7 = getelementptr ptr, ptr %.1, i64 2
  %.8 = load ptr, ptr %.7
  %.9 = getelementptr ptr, ptr %.1, i64 3
  %.10 = load ptr, ptr %.9
  %.11 = getelementptr ptr, ptr %.1, i64 9
  %.12 = load ptr, ptr %.11
  %.13 = getelementptr ptr, ptr %.1, i64 10
  %.14 = load ptr, ptr %.13
  %.15 = getelementptr ptr, ptr %.1, i64 11
  %.16 = load ptr, ptr %.15
  %.17 = mul i64 %.2, 50
  %.18 = add i64 %.17, 50
  %.19 = icmp sgt i64 %.18, 50
  %.20 = select i1 %.19, i64 50, i64 %.18
  call void @loop0.body(ptr %.4, ptr %.6, ptr %.8, ptr %.10, ptr %.12, ptr %.14, ptr %.16, i64 %.17, i64 %.20)
  ret void
}

define internal void @loop1.body(ptr noalias %.1, ptr noalias %.2, ptr noalias %.3, ptr noalias %.4, ptr noalias %.5, ptr noalias %.6, i64 %.7, i64 %.8) nounwind "gt.work"="little"
{
entry:
  %.9 = load double, ptr %.1
  %.10 = fmul double %.9, 0x3f50624dd2f1a9fc
  %.11 = load double, ptr %.2
  %.12 = fsub double %.11, %.10
  store double %.12, ptr %.5
  %.13 = load double, ptr %.3
  %.14 = fmul double %.13, 0x3f50624dd2f1a9fc
  %.15 = load double, ptr %.4
  %.16 = fsub double %.15, %.14
  store double %.16, ptr %.6
  ret void
}

define internal void @loop1(ptr %.1, i64 %.2) cold nounwind
{
entry:
  %.3 = getelementptr ptr, ptr %.1, i64 7
  %.4 = load ptr, ptr %.3
  %.5 = getelementptr ptr, ptr %.1, i64 2
  %.6 = load ptr, ptr %.5
  %.7 = getelementptr ptr, ptr %.1, i64 8
  %.8 = load ptr, ptr %.7
  %.9 = getelementptr ptr, ptr %.1, i64 0
  %.10 = load ptr, ptr %.9
  %.11 = getelementptr ptr, ptr %.1, i64 5
  %.12 = load ptr, ptr %.11
  %.13 = getelementptr ptr, ptr %.1, i64 6
  %.14 = load ptr, ptr %.13
  %.15 = mul i64 %.2, 1
  %.16 = add i64 %.15, 1
  %.17 = icmp sgt i64 %.16, 1
  %.18 = select i1 %.17, i64 1, i64 %.16
  call void @loop1.body(ptr %.4, ptr %.6, ptr %.8, ptr %.10, ptr %.12, ptr %.14, i64 %.15, i64 %.18)
  ret void
}

define void @kernel(ptr %.1) cold nounwind
{
entry:
  %.2 = alloca ptr, i64 12
  %.3 = getelementptr ptr, ptr %.1, i64 0
  %.4 = load ptr, ptr %.3
  %.5 = getelementptr ptr, ptr %.2, i64 0
  store ptr %.4, ptr %.5
  %.6 = getelementptr ptr, ptr %.1, i64 1
  %.7 = load ptr, ptr %.6
  %.8 = getelementptr ptr, ptr %.2, i64 1
  store ptr %.7, ptr %.8
  %.9 = getelementptr ptr, ptr %.1, i64 2
  %.10 = load ptr, ptr %.9
  %.11 = getelementptr ptr, ptr %.2, i64 2
  store ptr %.10, ptr %.11
  %.12 = getelementptr ptr, ptr %.1, i64 3
  %.13 = load ptr, ptr %.12
  %.14 = getelementptr ptr, ptr %.2, i64 3
  store ptr %.13, ptr %.14
  %.15 = getelementptr ptr, ptr %.1, i64 4
  %.16 = load ptr, ptr %.15
  %.17 = getelementptr ptr, ptr %.2, i64 4
  store ptr %.16, ptr %.17
  %.18 = getelementptr ptr, ptr %.1, i64 5
  %.19 = load ptr, ptr %.18
  %.20 = getelementptr ptr, ptr %.2, i64 5
  store ptr %.19, ptr %.20
  %.21 = getelementptr ptr, ptr %.1, i64 6
  %.22 = load ptr, ptr %.21
  %.23 = getelementptr ptr, ptr %.2, i64 6
  store ptr %.22, ptr %.23
  %.24 = alloca [320 x i8], align 64
  %.25 = getelementptr i8, ptr %.24, i64 0
  %.26 = getelementptr ptr, ptr %.2, i64 7
  store ptr %.25, ptr %.26
  %.27 = getelementptr i8, ptr %.24, i64 64
  %.28 = getelementptr ptr, ptr %.2, i64 8
  store ptr %.27, ptr %.28
  %.29 = getelementptr i8, ptr %.24, i64 128
  %.30 = getelementptr ptr, ptr %.2, i64 9
  store ptr %.29, ptr %.30
  %.31 = getelementptr i8, ptr %.24, i64 192
  %.32 = getelementptr ptr, ptr %.2, i64 10
  store ptr %.31, ptr %.32
  %.33 = getelementptr i8, ptr %.24, i64 256
  %.34 = getelementptr ptr, ptr %.2, i64 11
  store ptr %.33, ptr %.34
  call void @loop0(ptr %.2, i64 0)
  %.35 = getelementptr ptr, ptr %.2, i64 4
  %.36 = load ptr, ptr %.35
  %.37 = getelementptr ptr, ptr %.2, i64 9
  %.38 = load ptr, ptr %.37
  %.39 = getelementptr i8, ptr %.38, i64 0
  %.40 = load double, ptr %.39
  %.41 = fadd double 0x0, %.40
  store double %.41, ptr %.36
  %.42 = getelementptr ptr, ptr %.2, i64 7
  %.43 = load ptr, ptr %.42
  %.44 = getelementptr ptr, ptr %.2, i64 10
  %.45 = load ptr, ptr %.44
  %.46 = getelementptr i8, ptr %.45, i64 0
  %.47 = load double, ptr %.46
  %.48 = fadd double 0x0, %.47
  store double %.48, ptr %.43
  %.49 = getelementptr ptr, ptr %.2, i64 8
  %.50 = load ptr, ptr %.49
  %.51 = getelementptr ptr, ptr %.2, i64 11
  %.52 = load ptr, ptr %.51
  %.53 = getelementptr i8, ptr %.52, i64 0
  %.54 = load double, ptr %.53
  %.55 = fadd double 0x0, %.54
  store double %.55, ptr %.50
  call void @loop1(ptr %.2, i64 0)
  ret void
}
