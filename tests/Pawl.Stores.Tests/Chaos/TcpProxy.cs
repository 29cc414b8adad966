using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Pawl.Stores.Chaos;

/// <summary>The wire between one worker and the database: it can be cut, and mended.</summary>
sealed class TcpProxy : IDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly ConcurrentDictionary<Socket, byte> _sockets = [];
    readonly int _target;
    volatile bool _isCut;

    public TcpProxy(int target)
    {
        _target = target;
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

    public void Mend() => _isCut = false;

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

    static async Task CopyAsync(Socket from, Socket to)
    {
        var buffer = new byte[65536];
        try
        {
            for (int count; (count = await from.ReceiveAsync(buffer.AsMemory())) > 0;)
                for (var sent = 0; sent < count;) sent += await to.SendAsync(buffer.AsMemory(sent, count - sent));
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // Cut.
        }
    }

    public void Dispose()
    {
        Cut();
        _listener.Stop();
    }
}
