namespace Pawl.Yaml;

/// <summary>One pattern, as an automaton whose states are followed all at once: time is pattern × path, whatever the pattern.</summary>
internal sealed class Glob
{
    const int MaxLength = 1000;
    const int MaxNesting = 8;

    enum Kind { Accept, Char, Any, Star, Rest, Deep, DeepInside, Split }

    readonly record struct State(Kind Kind, char Char, int[] Next);

    /// <summary>Where a walk stands: the states reached, or that a folder above matched as a whole.</summary>
    internal readonly record struct Place(IReadOnlyCollection<int> States, bool IsWhole)
    {
        /// <summary>Something further down may match.</summary>
        public bool CanMatch => IsWhole || States.Count > 0;
    }

    readonly List<State> _states = [new State(Kind.Accept, '\0', [])];
    readonly string _pattern;
    readonly bool _namesFolders;
    int _position;

    Glob(string pattern)
    {
        _pattern = pattern.TrimStart();
        IsNegated = _pattern is ['!', ..];
        if (IsNegated) _pattern = _pattern[1..];
        if (_pattern.StartsWith("./", StringComparison.Ordinal)) _pattern = _pattern[2..];
        if (_pattern.EndsWith('/') && _pattern.Length > 1) _pattern = _pattern[..^1];
        if (_pattern.Length == 0) throw new FormatException("A file pattern is empty.");
        if (_pattern.Length > MaxLength) throw new FormatException($"A file pattern is longer than {MaxLength} characters.");
        if (_pattern.Contains('\\') || _pattern.Contains('\0')) throw Invalid("contains a backslash or a zero character; folders are separated by '/'");
        if (_pattern[0] == '/' || Path.IsPathRooted(_pattern)) throw Invalid("is an absolute path; patterns are relative to the project's folder");
        if (_pattern.Split('/', '{', '}', ',').Contains("..")) throw Invalid("leads out of the project's folder with '..'");
        _namesFolders = !_pattern[(_pattern.LastIndexOf('/') + 1)..].AsSpan().ContainsAny('*', '?');
        Start = new Place(Close([Sequence(0)(0)]), false);
    }

    /// <summary>The pattern began with <c>!</c>.</summary>
    public bool IsNegated { get; }

    /// <summary>The place before the first name.</summary>
    public Place Start { get; }

    /// <exception cref="FormatException">The pattern is not valid.</exception>
    public static Glob Parse(string pattern) => new(pattern);

    /// <summary>The place behind a name.</summary>
    public Place Read(Place place, ReadOnlySpan<char> name)
    {
        if (place.IsWhole) return place;
        var states = place.States;
        foreach (var c in name)
        {
            if (states.Count == 0) break;
            states = Step(states, c);
        }
        return new Place(states, false);
    }

    /// <summary>The place inside a folder whose name was read.</summary>
    public Place Enter(Place place) => place.IsWhole || (_namesFolders && Accepts(place)) ? new Place([], true) : new Place(Step(place.States, '/'), false);

    /// <summary>Whether the names read so far are a match.</summary>
    public static bool Accepts(Place place) => place.IsWhole || place.States.Contains(0);

    HashSet<int> Step(IReadOnlyCollection<int> states, char c)
    {
        List<int> next = [];
        foreach (var id in states)
        {
            var state = _states[id];
            switch (state.Kind)
            {
                case Kind.Char when state.Char == c: next.AddRange(state.Next); break;
                case Kind.Any when c != '/': next.AddRange(state.Next); break;
                case Kind.Star when c != '/': next.Add(id); break;
                case Kind.Rest: next.Add(id); break;
                case Kind.Deep when c != '/': next.Add(state.Next[1]); break;
                case Kind.DeepInside:
                    next.Add(id);
                    if (c == '/') next.AddRange(state.Next);
                    break;
            }
        }
        return Close(next);
    }

    // Adds what is reached without reading a character.
    HashSet<int> Close(List<int> open)
    {
        HashSet<int> reached = [];
        while (open.Count > 0)
        {
            var id = open[^1];
            open.RemoveAt(open.Count - 1);
            if (!reached.Add(id)) continue;
            if (_states[id].Kind is Kind.Star or Kind.Rest or Kind.Split) open.AddRange(_states[id].Next);
            else if (_states[id].Kind == Kind.Deep) open.Add(_states[id].Next[0]);
        }
        return reached;
    }

    int Add(Kind kind, char c, params int[] next)
    {
        _states.Add(new State(kind, c, next));
        return _states.Count - 1;
    }

    // Reads now and links later: each state names its successor, so a sequence is linked from its last element to its first.
    Func<int, int> Sequence(int depth)
    {
        if (depth > MaxNesting) throw Invalid($"has braces nested more than {MaxNesting} levels deep");
        List<Func<int, int>> elements = [];
        while (_position < _pattern.Length && !(depth > 0 && _pattern[_position] is ',' or '}'))
        {
            var c = _pattern[_position++];
            elements.Add(c switch
            {
                '?' => next => Add(Kind.Any, c, next),
                '*' => Stars(),
                '{' => Braces(depth),
                _ => next => Add(Kind.Char, c, next),
            });
        }
        return end => Enumerable.Reverse(elements).Aggregate(end, (next, element) => element(next));
    }

    Func<int, int> Stars()
    {
        var from = _position - 1;
        while (_position < _pattern.Length && _pattern[_position] == '*') _position++;
        var startsName = from == 0 || _pattern[from - 1] is '/' or '{' or ',';
        var endsName = _position == _pattern.Length || _pattern[_position] is '/' or '}' or ',';
        if (_position - from < 2 || !startsName || !endsName) return next => Add(Kind.Star, '*', next);
        if (_position == _pattern.Length || _pattern[_position] != '/') return next => Add(Kind.Rest, '*', next);
        _position++;
        return next => Add(Kind.Deep, '*', next, Add(Kind.DeepInside, '*', next));
    }

    Func<int, int> Braces(int depth)
    {
        List<Func<int, int>> alternatives = [];
        do
        {
            alternatives.Add(Sequence(depth + 1));
            if (_position == _pattern.Length) throw Invalid("has a '{' without its '}'");
        }
        while (_pattern[_position++] == ',');
        return next => Add(Kind.Split, '{', [.. alternatives.Select(alternative => alternative(next))]);
    }

    FormatException Invalid(string why) => new($"The file pattern '{ExpressionException.Printable(_pattern)}' {why}.");
}
