namespace Pawl.Cli.View;

/// <summary>Colours, or none.</summary>
readonly struct Ink(bool on)
{
    public bool IsOn => on;

    public string Good(string text) => Paint("32", text);

    public string Bad(string text) => Paint("31", text);

    public string Careful(string text) => Paint("33", text);

    public string Faint(string text) => Paint("2", text);

    public string Strong(string text) => Paint("1", text);

    public string Of(string state, string text) => state switch
    {
        "completed" => Good(text),
        "failed" or "died" => Bad(text),
        "running" or "waiting" or "paused" or "canceled" => Careful(text),
        _ => Faint(text),
    };

    string Paint(string code, string text) => on && text.Length > 0 ? $"\e[{code}m{text}\e[0m" : text;
}
