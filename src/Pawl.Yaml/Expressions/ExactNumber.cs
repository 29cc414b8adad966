namespace Pawl.Yaml;

/// <summary>A decimal number of any size, compared without rounding: sign × 0.digits × 10^exponent, digits without zeros at either end.</summary>
internal readonly record struct ExactNumber(int Sign, string Digits, long Exponent) : IComparable<ExactNumber>
{
    /// <summary>Reads JSON's number syntax; leading zeros, a plus sign and white space around it are accepted as well.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out ExactNumber number)
    {
        number = default;
        text = text.Trim();
        var sign = 1;
        if (text is ['-' or '+', ..])
        {
            if (text[0] == '-') sign = -1;
            text = text[1..];
        }
        var whole = TakeDigits(ref text);
        if (whole.Length == 0) return false;
        ReadOnlySpan<char> fraction = [];
        if (text is ['.', ..])
        {
            text = text[1..];
            fraction = TakeDigits(ref text);
            if (fraction.Length == 0) return false;
        }
        var exponent = 0L;
        if (text is ['e' or 'E', ..])
        {
            text = text[1..];
            var negative = text is ['-', ..];
            if (text is ['-' or '+', ..]) text = text[1..];
            var digits = TakeDigits(ref text);
            if (digits.Length == 0) return false;
            digits = digits.TrimStart('0');
            // Exponents beyond a quadrillion are all the same to anybody.
            exponent = digits.Length > 15 ? 1_000_000_000_000_000 : digits.Length == 0 ? 0 : long.Parse(digits, System.Globalization.CultureInfo.InvariantCulture);
            if (negative) exponent = -exponent;
        }
        if (text.Length > 0) return false;
        var all = string.Concat(whole, fraction);
        var significant = all.TrimStart('0');
        number = significant.Length == 0
            ? new ExactNumber(0, "", 0)
            : new ExactNumber(sign, significant.TrimEnd('0'), exponent + whole.Length - (all.Length - significant.Length));
        return true;
    }

    public int CompareTo(ExactNumber other)
    {
        if (Sign != other.Sign) return Sign.CompareTo(other.Sign);
        var magnitude = Exponent != other.Exponent ? Exponent.CompareTo(other.Exponent) : Math.Sign(string.CompareOrdinal(Digits, other.Digits));
        return Sign * magnitude;
    }

    static ReadOnlySpan<char> TakeDigits(scoped ref ReadOnlySpan<char> text)
    {
        var length = 0;
        while (length < text.Length && char.IsAsciiDigit(text[length])) length++;
        var digits = text[..length];
        text = text[length..];
        return digits;
    }
}
