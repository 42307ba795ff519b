# What Perl is used for: text, tables, formats.
use strict;
use warnings;
use Digest::SHA qw(sha1_hex sha256_hex sha512_base64);
use List::Util qw(sum max first);
use Math::BigInt;
use POSIX qw(floor fmod strtol strftime);
use Encode qw(encode decode);
use Storable qw(freeze thaw);

my $seed = 12345;
sub draw { $seed = ($seed * 1103515245 + 12345) & 0x7fffffff; return $seed % $_[0] }

# A text of words, counted, split, changed.
my @words = map { join '', map { chr(97 + draw(26)) } 1 .. 2 + draw(6) } 1 .. 500;
my $text = join ' ', map { $words[draw(500)] . (draw(12) ? '' : '.') } 1 .. 30000;
my %count;
$count{$1}++ while $text =~ /\b([a-z]+)\b/g;
my @common = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
printf "%-12s %5d\n", $_, $count{$_} for @common[0 .. 19];
(my $changed = $text) =~ s/\b(\w)(\w*?)(\w)\b/\U$1\E$2<\u$3>/g;
print 'changed ', sha256_hex($changed), ' ', ($changed =~ tr/A-Z//), "\n";
my $nested = qr/\((?:[^()]++|(?R))*\)/;
print 'nested ', join('|', '(a(b)c) x (d(e(f)))' =~ /$nested/g), "\n";
print 'named ', join(',', map { /(?<month>\d+)-(?<day>\d+)$/; "$+{day}/$+{month}" } '2024-02-29', '1999-12-31'), "\n";
print 'backwards ', scalar(() = $text =~ /(?<=\. )(\w)\w*\1(?!\w)/g), "\n";

# Numbers in every format.
for my $value (0, 1 / 3, -1e10 / 7, 1e300 * 1.5, 2**53 + 1, 4.9e-324, 12345.6789) {
  printf "%s|%d|%.3f|%+.10e|%g|%015.4f|%a\n", $value, $value > 1e18 ? 0 : $value, $value, $value, $value, $value, $value;
}
printf "%b %o %x %#X %s %vd\n", 0xdeadbeef, 511, 48879, 255, ~0 >> 1, '1.22.333';
printf "%.15g %.15g %.15g %.15g\n", sin(1e5), exp(-3.5), sqrt(2) ** 3.3, atan2(1, -2);
print 'posix ', floor(-2.5), ' ', fmod(10.25, 3), ' ', (strtol('zz', 36))[0], ' ', strftime('%Y-%m-%d %j %U %H:%M:%S', gmtime(1e9)), "\n";

# Sorting, packing, deep structures, big numbers.
my @values = map { draw(1e6) / 7 } 1 .. 20000;
my @sorted = sort { $a <=> $b } @values;
print 'sorted ', sha1_hex(join ',', @sorted), ' ', sum(@sorted), ' ', max(@values), ' ', (first { $_ > 1e5 } @sorted), "\n";
my $packed = join '', map { pack 'Nnv C/a* d> w Q< Z*', $_ * 65537, $_, $_, "s$_", $_ / 3, $_ * 1000, $_ ** 4, "z$_" } 1 .. 500;
print 'packed ', length($packed), ' ', sha512_base64($packed), ' ', unpack('%32C*', $packed), "\n";
my @back = unpack 'Nnv C/a* d> w Q< Z*', $packed;
print "unpacked @back\n";
my $thawed = thaw(freeze({ list => [@sorted[0 .. 9]], deep => { a => [1, [2, { b => 3 }]] } }));
print "thawed $thawed->{list}[9] $thawed->{deep}{a}[1][1]{b}\n";
my $factorial = Math::BigInt->new(300)->bfac;
print "300! = $factorial\n", '2^4423-1 modulo 10^30 ', Math::BigInt->new(2)->bpow(4423)->bdec->bmod('1' . '0' x 30), "\n";
my $latin = encode('iso-8859-2', decode('UTF-8', "za\xc5\xbc\xc3\xb3\xc5\x82\xc4\x87"));
print 'encoded ', unpack('H*', $latin), "\n";
my @sieve = (1) x 200001;
for my $i (2 .. 447) { next unless $sieve[$i]; for (my $j = $i * $i; $j <= 200000; $j += $i) { $sieve[$j] = 0 } }
print 'primes ', sum(grep { $sieve[$_] } 2 .. 200000), "\n";
my $composed = sub { $_[0] };
for my $factor (2 .. 60) { my $inner = $composed; $composed = sub { $inner->(@_) * $factor % 10007 } }
print 'composed ', $composed->(5), "\n";
eval { die { code => 42 } };
print "died with $@->{code}\n";
