using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Pawl.Stores.Chaos;

/// <summary>The wire between one worker and the database: it can be cut, fall silent, and be mended.</summary>
sealed class TcpProxy : IDisposable
{
    readonly TcpListener _listener;
    readonly ConcurrentDictionary<Socket, byte> _sockets = [];
    readonly int _target;
    volatile bool _isCut;
    volatile TaskCompletionSource? _silence;

    /// <param name="target">The port of the database on this machine.</param>
    /// <param name="at">Where it listens. Default: the loopback address.</param>
    public TcpProxy(int target, IPAddress? at = null)
    {
        (_target, _listener) = (target, new TcpListener(at ?? IPAddress.Loopback, 0));
        _listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Nothing goes through any more: what was open is reset, what is new is refused.</summary>
    public void Cut()
    {
        _isCut = true;
        foreach (var socket in _sockets.Keys) socket.Close(0);
    }

    /// <summary>Nothing comes through and nobody is told, as when packets are lost; what was under way arrives when the wire is mended.</summary>
    public void Silence() => _silence ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Mend()
    {
        _isCut = false;
        var silence = _silence;
        _silence = null;
        silence?.SetResult();
    }

    async Task AcceptAsync()
    {
        while (true)
        {
            Socket from;
            try { from = await _listener.AcceptSocketAsync(); }
            catch (Exception error) when (error is SocketException or ObjectDisposedException) { return; }
            if (_isCut) from.Close(0);
            else _ = ServeAsync(from);
        }
    }

    async Task ServeAsync(Socket from)
    {
        using var to = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        from.NoDelay = true;
        _sockets[from] = _sockets[to] = 0;
        try
        {
            if (_silence is { } silence) await silence.Task;
            await to.ConnectAsync(IPAddress.Loopback, _target);
            if (_isCut) return;
            await Task.WhenAny(CopyAsync(from, to), CopyAsync(to, from));
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // The other side learns it by the end of its connection.
        }
        finally
        {
            _sockets.TryRemove(from, out _);
            _sockets.TryRemove(to, out _);
            from.Close(0);
        }
    }

    async Task CopyAsync(Socket from, Socket to)
    {
        var buffer = new byte[65536];
        try
        {
            while (true)
            {
                var count = await from.ReceiveAsync(buffer.AsMemory());
                // The end of a connection is a packet like any other.
                if (_silence is { } silence) await silence.Task;
                if (count == 0) return;
                for (var sent = 0; sent < count;) sent += await to.SendAsync(buffer.AsMemory(sent, count - sent));
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // Cut.
        }
    }

    public void Dispose()
    {
        Cut();
        Mend();
        _listener.Stop();
    }
}
