perl /work/perl.pl
