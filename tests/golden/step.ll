; part 0: native code
define internal void @loop0.body(ptr noalias %.1, ptr noalias %.2, ptr noalias %.3, ptr noalias %.4, ptr noalias %.5, ptr noalias %.6, ptr noalias %.7, i64 %.8, i64 %.9) nounwind "gt.work"="little"
{
entry:
  %.11 = alloca double
  %.12 = alloca double
  %.13 = alloca double
  %.14 = alloca double
  %.15 = alloca double
  %.16 = alloca double
  store double 0x0, double* %.11
  store double 0x0, double* %.13
  store double 0x0, double* %.15
  store double 0x0, double* %.12
  store double 0x0, double* %.14
  store double 0x0, double* %.16
  %.23 = icmp slt i64 %.8, %.9
  br i1 %.23, label %lanes, label %done
lanes:
  %.25 = phi i64 [%.8, %entry], [%.52, %lanes]
  %.26 = load double, ptr %.1
  %.27 = getelementptr double, ptr %.2, i64 %.25
  %.28 = load double, ptr %.27
  %.29 = load double, ptr %.3
  %.30 = getelementptr double, ptr %.4, i64 %.25
  %.31 = load double, ptr %.30
  %.32 = fmul double %.26, %.28
  %.33 = fadd double %.29, %.32
  %.34 = fsub double %.31, %.33
  %.35 = fmul double %.34, %.34
  %.36 = fadd double %.34, %.34
  %.37 = fneg double %.36
  %.38 = fmul double %.37, %.28
  %.39 = fcmp uno double %.38, %.38
  %.40 = fcmp oeq double %.37, 0x0
  %.41 = select i1 %.40, double 0x0, double %.38
  %.42 = select i1 %.39, double %.41, double %.38
  %.43 = load double, double* %.12
  %.44 = fadd reassoc double %.43, %.35
  store double %.44, double* %.12
  %.46 = load double, double* %.14
  %.47 = fadd reassoc double %.46, %.37
  store double %.47, double* %.14
  %.49 = load double, double* %.16
  %.50 = fadd reassoc double %.49, %.42
  store double %.50, double* %.16
  %.52 = add nuw nsw i64 %.25, 1
  %.53 = icmp slt i64 %.52, %.9
  br i1 %.53, label %lanes, label %done
done:
  %.55 = load double, double* %.12
  %.56 = load double, double* %.11
  %.57 = fadd double %.56, %.55
  store double %.57, double* %.11
  %.59 = load double, double* %.14
  %.60 = load double, double* %.13
  %.61 = fadd double %.60, %.59
  store double %.61, double* %.13
  %.63 = load double, double* %.16
  %.64 = load double, double* %.15
  %.65 = fadd double %.64, %.63
  store double %.65, double* %.15
  %.67 = load double, double* %.11
  store double %.67, ptr %.5
  %.69 = load double, double* %.13
  store double %.69, ptr %.6
  %.71 = load double, double* %.15
  store double %.71, ptr %.7
  ret void
}

define internal void @loop0(ptr %.1, i64 %.2) cold nounwind
{
entry:
  %.4 = getelementptr ptr, ptr %.1, i64 0
  %.5 = load ptr, ptr %.4
  %.6 = getelementptr ptr, ptr %.1, i64 1
  %.7 = load ptr, ptr %.6
  %.8 = getelementptr ptr, ptr %.1, i64 2
  %.9 = load ptr, ptr %.8
  %.10 = getelementptr ptr, ptr %.1, i64 3
  %.11 = load ptr, ptr %.10
  %.12 = getelementptr ptr, ptr %.1, i64 9
  %.13 = load ptr, ptr %.12
  %.14 = getelementptr ptr, ptr %.1, i64 10
  %.15 = load ptr, ptr %.14
  %.16 = getelementptr ptr, ptr %.1, i64 11
  %.17 = load ptr, ptr %.16
  %.18 = mul i64 %.2, 50
  %.19 = add i64 %.18, 50
  %.20 = icmp sgt i64 %.19, 50
  %.21 = select i1 %.20, i64 50, i64 %.19
  call void @loop0.body(ptr %.5, ptr %.7, ptr %.9, ptr %.11, ptr %.13, ptr %.15, ptr %.17, i64 %.18, i64 %.21)
  ret void
}

define internal void @loop1.body(ptr noalias %.1, ptr noalias %.2, ptr noalias %.3, ptr noalias %.4, ptr noalias %.5, ptr noalias %.6, i64 %.7, i64 %.8) nounwind "gt.work"="little"
{
entry:
  %.10 = load double, ptr %.1
  %.11 = fmul double %.10, 0x3f50624dd2f1a9fc
  %.12 = load double, ptr %.2
  %.13 = fsub double %.12, %.11
  store double %.13, ptr %.5
  %.15 = load double, ptr %.3
  %.16 = fmul double %.15, 0x3f50624dd2f1a9fc
  %.17 = load double, ptr %.4
  %.18 = fsub double %.17, %.16
  store double %.18, ptr %.6
  ret void
}

define internal void @loop1(ptr %.1, i64 %.2) cold nounwind
{
entry:
  %.4 = getelementptr ptr, ptr %.1, i64 7
  %.5 = load ptr, ptr %.4
  %.6 = getelementptr ptr, ptr %.1, i64 2
  %.7 = load ptr, ptr %.6
  %.8 = getelementptr ptr, ptr %.1, i64 8
  %.9 = load ptr, ptr %.8
  %.10 = getelementptr ptr, ptr %.1, i64 0
  %.11 = load ptr, ptr %.10
  %.12 = getelementptr ptr, ptr %.1, i64 5
  %.13 = load ptr, ptr %.12
  %.14 = getelementptr ptr, ptr %.1, i64 6
  %.15 = load ptr, ptr %.14
  %.16 = mul i64 %.2, 1
  %.17 = add i64 %.16, 1
  %.18 = icmp sgt i64 %.17, 1
  %.19 = select i1 %.18, i64 1, i64 %.17
  call void @loop1.body(ptr %.5, ptr %.7, ptr %.9, ptr %.11, ptr %.13, ptr %.15, i64 %.16, i64 %.19)
  ret void
}

define void @kernel(ptr %.1) cold nounwind
{
entry:
  %.3 = alloca ptr, i64 12
  %.4 = getelementptr ptr, ptr %.1, i64 0
  %.5 = load ptr, ptr %.4
  %.6 = getelementptr ptr, ptr %.3, i64 0
  store ptr %.5, ptr %.6
  %.8 = getelementptr ptr, ptr %.1, i64 1
  %.9 = load ptr, ptr %.8
  %.10 = getelementptr ptr, ptr %.3, i64 1
  store ptr %.9, ptr %.10
  %.12 = getelementptr ptr, ptr %.1, i64 2
  %.13 = load ptr, ptr %.12
  %.14 = getelementptr ptr, ptr %.3, i64 2
  store ptr %.13, ptr %.14
  %.16 = getelementptr ptr, ptr %.1, i64 3
  %.17 = load ptr, ptr %.16
  %.18 = getelementptr ptr, ptr %.3, i64 3
  store ptr %.17, ptr %.18
  %.20 = getelementptr ptr, ptr %.1, i64 4
  %.21 = load ptr, ptr %.20
  %.22 = getelementptr ptr, ptr %.3, i64 4
  store ptr %.21, ptr %.22
  %.24 = getelementptr ptr, ptr %.1, i64 5
  %.25 = load ptr, ptr %.24
  %.26 = getelementptr ptr, ptr %.3, i64 5
  store ptr %.25, ptr %.26
  %.28 = getelementptr ptr, ptr %.1, i64 6
  %.29 = load ptr, ptr %.28
  %.30 = getelementptr ptr, ptr %.3, i64 6
  store ptr %.29, ptr %.30
  %.32 = alloca [320 x i8], align 64
  %.33 = getelementptr i8, [320 x i8]* %.32, i64 0
  %.34 = getelementptr ptr, ptr %.3, i64 7
  store [320 x i8]* %.33, ptr %.34
  %.36 = getelementptr i8, [320 x i8]* %.32, i64 64
  %.37 = getelementptr ptr, ptr %.3, i64 8
  store [320 x i8]* %.36, ptr %.37
  %.39 = getelementptr i8, [320 x i8]* %.32, i64 128
  %.40 = getelementptr ptr, ptr %.3, i64 9
  store [320 x i8]* %.39, ptr %.40
  %.42 = getelementptr i8, [320 x i8]* %.32, i64 192
  %.43 = getelementptr ptr, ptr %.3, i64 10
  store [320 x i8]* %.42, ptr %.43
  %.45 = getelementptr i8, [320 x i8]* %.32, i64 256
  %.46 = getelementptr ptr, ptr %.3, i64 11
  store [320 x i8]* %.45, ptr %.46
  call void @loop0(ptr %.3, i64 0)
  %.49 = getelementptr ptr, ptr %.3, i64 4
  %.50 = load ptr, ptr %.49
  %.51 = getelementptr ptr, ptr %.3, i64 9
  %.52 = load ptr, ptr %.51
  %.53 = getelementptr i8, ptr %.52, i64 0
  %.54 = load double, ptr %.53
  %.55 = fadd double 0x0, %.54
  store double %.55, ptr %.50
  %.57 = getelementptr ptr, ptr %.3, i64 7
  %.58 = load ptr, ptr %.57
  %.59 = getelementptr ptr, ptr %.3, i64 10
  %.60 = load ptr, ptr %.59
  %.61 = getelementptr i8, ptr %.60, i64 0
  %.62 = load double, ptr %.61
  %.63 = fadd double 0x0, %.62
  store double %.63, ptr %.58
  %.65 = getelementptr ptr, ptr %.3, i64 8
  %.66 = load ptr, ptr %.65
  %.67 = getelementptr ptr, ptr %.3, i64 11
  %.68 = load ptr, ptr %.67
  %.69 = getelementptr i8, ptr %.68, i64 0
  %.70 = load double, ptr %.69
  %.71 = fadd double 0x0, %.70
  store double %.71, ptr %.66
  call void @loop1(ptr %.3, i64 0)
  ret void
}
